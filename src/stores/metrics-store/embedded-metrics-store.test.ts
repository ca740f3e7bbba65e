import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { embeddedMetricsStore } from './embedded-metrics-store.ts';
import { listen, metricsStoreSuite, sales } from './metrics-store.suite.ts';

function place(cleanUp: (action: () => void) => void) {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-metrics-'));
  cleanUp(() => rmSync(dir, { recursive: true, force: true }));
  // It moves only by `advance`: nothing here is found by looking now and then.
  const clock = new ManualClock();
  const open = () => embeddedMetricsStore({ dir, clock, log: silentLog, mainCurrency: 'USD' });
  return { dir, clock, open };
}

metricsStoreSuite('embedded', (cleanUp) => {
  const { clock, open } = place(cleanUp);
  return { open: async () => open(), ttlMs: METRICS_TTL_MS, pass: (ms) => clock.advance(ms) };
});

test('what is expired is removed from the file in the background', async (t) => {
  const { dir, clock, open } = place((action) => t.after(action));
  const store = open();
  await store.markFilled();
  await store.write(Array.from({ length: 1_100 }, (_, window) => sales(window, 1)));
  await clock.advance(METRICS_TTL_MS - 1_000);
  await store.write([sales(2_000, 1)]);
  await clock.advance(31_000);
  await store.close();
  const db = new DatabaseSync(join(dir, 'metrics.db'));
  const counts = db
    .prepare('SELECT (SELECT count(*) FROM metric_values) v, (SELECT count(*) FROM seed_keys) s')
    .get();
  db.close();
  assert.deepEqual({ ...counts }, { v: 1, s: 1 });
});

test('a late listener hears nothing twice, and many changes at once come whole', async (t) => {
  const { open } = place((action) => t.after(action));
  const [writer, reader] = [open(), open()];
  await writer.markFilled();
  const first = listen(reader);
  await writer.write(Array.from({ length: 2_500 }, (_, window) => sales(window, 1)));
  const second = listen(reader);
  await writer.write([sales(3_000, 1)]);
  await first.until(() => first.values().length >= 2_501);
  await second.until(() => second.values().length >= 1);
  assert.deepEqual(second.values(), [sales(3_000, 1)]);
  assert.equal(first.values().length, 2_501);
  await Promise.all([writer.close(), reader.close()]);
});

test('a file of before there was a mark is good, but not filled', async (t) => {
  const { dir, open } = place((action) => t.after(action));
  const before = open();
  await before.markFilled();
  await before.write([sales(0, 5)]);
  await before.close();
  const db = new DatabaseSync(join(dir, 'metrics.db'));
  db.exec('DROP TABLE filled');
  db.close();
  const store = open();
  assert.equal(await store.isFilled(), false);
  assert.notEqual(await store.get('metrics:transactions'), null);
  await store.markFilled();
  assert.equal(await store.write([sales(0, 5), sales(0, 6)]), 1);
  await store.close();
});

test('a damaged file is told with a remedy', (t) => {
  const { dir, open } = place((action) => t.after(action));
  writeFileSync(join(dir, 'metrics.db'), 'no database at all, but long enough to be looked at '.repeat(100));
  assert.throws(open, UserError);
});
