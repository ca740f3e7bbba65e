// One capture at a time reads a database: who waits, and how an owner loses what it has.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { after, before, type TestContext, test } from 'node:test';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import type { ChangeFeed } from './changes.ts';
import { dropFeed } from './drop-feed.ts';
import { FeedOwnership } from './feed-ownership.ts';
import { logicalFeed } from './logical-feed.ts';
import { pollingFeed } from './polling-feed.ts';
import { ensureShopSchema } from './schema.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

/** Two feeds of one database; the first owns it. */
async function setUp(t: TestContext, mode: 'logical' | 'polling') {
  const [shopUrl, url] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, url);
  const parts = { url, database: 'crm_db', clock: systemClock, log: silentLog } as const;
  const make = (): ChangeFeed =>
    mode === 'logical' ? logicalFeed(parts) : pollingFeed({ ...parts, intervalMs: 10 });
  const [first, second] = [make(), make()];
  await first.acquire(t.signal, () => assert.fail('nobody else has it'));
  const snapshot = await first.open(null);
  await snapshot!.close();
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    await Promise.all([first.close(), second.close()]);
    await systemClock.sleep(200);
    await dropFeed(url, 'crm_db');
  });
  return { first, second, url, stop };
}

const insert = (type: string): string => `INSERT INTO interaction (interaction_type) VALUES ('${type}')`;

async function firstChange(feed: ChangeFeed, signal: AbortSignal): Promise<string> {
  for await (const sets of feed.read(signal)) {
    for (const { changes } of sets) if (changes[0]) return changes[0].after!['interaction_type']!;
  }
  return 'ended';
}

const endOwnersSession = (url: string) =>
  postgres.sql(
    url,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'instashop capture owner' AND datname = current_database()`,
  );

for (const mode of ['logical', 'polling'] as const) {
  test(`${mode}: a second capture waits, and goes on when the first one lets go`, async (t) => {
    const { first, second, url, stop } = await setUp(t, mode);
    let isWaiting = false;
    const acquired = second.acquire(stop.signal, () => {
      isWaiting = true;
    });
    await postgres.sql(url, insert('one'));
    assert.equal(await firstChange(first, stop.signal), 'one');
    assert.equal(await Promise.race([acquired.then(() => 'acquired'), systemClock.sleep(600)]), undefined);
    assert.ok(isWaiting);
    await first.release();
    await acquired;
    assert.equal(await firstChange(second, stop.signal), 'one');
  });

  test(`${mode}: an owner whose session the server ended stops reading, and may try again`, async (t) => {
    const { first, second, url, stop } = await setUp(t, mode);
    await postgres.sql(url, insert('one'));
    const reading = (async () => {
      for await (const _ of first.read(stop.signal));
    })();
    reading.catch(() => {});
    await systemClock.sleep(200);
    await endOwnersSession(url);
    await assert.rejects(reading, (error) => isRetryable(error) && /another capture/.test(String(error)));
    await second.acquire(stop.signal, () => {});
    assert.equal(await firstChange(second, stop.signal), 'one');
  });

  test(`${mode}: a frozen owner keeps nothing from the next one; a living one keeps it`, async (t) => {
    const { first, second, url, stop } = await setUp(t, mode);
    await first.release();
    const frozen = await ownerProcess(t, mode, url);
    let isWaiting = false;
    const acquired = second
      .acquire(stop.signal, () => {
        isWaiting = true;
      })
      .then(() => 'acquired');
    // Longer than the server waits for a sign of life of either of its sessions.
    assert.equal(await Promise.race([acquired, systemClock.sleep(7_500)]), undefined);
    assert.ok(isWaiting);
    frozen.kill('SIGSTOP');
    await postgres.sql(url, insert('one'));
    const frozenAt = performance.now();
    await acquired;
    assert.equal(await firstChange(second, stop.signal), 'one');
    const tookMs = performance.now() - frozenAt;
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });
}

test('an owner whose session the server ends in the middle of a question is told the same', async (t) => {
  const url = await postgres.database();
  const ownership = new FeedOwnership({ url, database: 'crm_db', clock: systemClock });
  t.after(() => ownership.release());
  await ownership.acquire(t.signal, () => assert.fail('nobody else has it'));
  const asked = assert.rejects(
    ownership.query('SELECT pg_sleep(20)'),
    (error) => isRetryable(error) && /another capture/.test(String(error)),
  );
  await systemClock.sleep(100);
  await endOwnersSession(url);
  await asked;
  assert.ok(ownership.lost.aborted);
});

/** A process that owns the feed and reads it. */
async function ownerProcess(t: TestContext, mode: string, url: string): Promise<ChildProcess> {
  const at = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
  const program = `
    import { ${mode}Feed } from ${at(`./${mode}-feed.ts`)};
    import { systemClock as clock } from ${at('../../lib/clock.ts')};
    import { silentLog as log } from ${at('../../lib/log.ts')};
    const feed = ${mode}Feed({ url: ${JSON.stringify(url)}, database: 'crm_db', clock, log, intervalMs: 10 });
    await feed.acquire(new AbortController().signal, () => {});
    console.log('owned');
    for await (const _ of feed.read(new AbortController().signal));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return child;
}
