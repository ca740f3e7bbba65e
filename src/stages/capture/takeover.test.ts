// A capture dies or is frozen at any of its writes, and another one goes on.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { CAPTURE_STATE_TOPIC, TOPICS } from '../../contracts/topics.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import type { Claim, OutgoingRecord } from '../../stores/broker/broker.ts';
import { capture } from './capture.ts';
import { SharedShop } from './testing/shared-shop.ts';

const NAMES = {
  names: async () => new Map(),
  sales: async () => ({ headers: [], items: [] }),
  close: async () => {},
};
type Append = Claim['append'];

function setUp(t: TestContext) {
  const broker = memoryBroker([...Object.values(TOPICS), CAPTURE_STATE_TOPIC]);
  const shop = new SharedShop();
  const clock = new ManualClock();
  const folder = (): string => {
    const dir = mkdtempSync(join(tmpdir(), 'takeover-'));
    t.after(() => rmSync(dir, { recursive: true }));
    return dir;
  };
  /** `around` is given each append of the capture. */
  const start = (
    dir: string,
    around: (append: Append, records: readonly OutgoingRecord[]) => Promise<void> = (append, records) =>
      append(records),
    options: { readonly resnapshot?: boolean; readonly retentionMs?: number } = {},
  ) => {
    const stopping = new AbortController();
    const stage = capture({
      feeds: [shop.feed()],
      names: NAMES,
      broker: {
        recordBytesMax: 8_000,
        partitions: broker.partitions,
        read: broker.read,
        claim: async (owner, partitions) => {
          const { append } = await broker.claim(owner, partitions);
          return { append: (records) => around(append, records) };
        },
      },
      stateTopic: CAPTURE_STATE_TOPIC,
      clock,
      log: silentLog,
      dir,
      mainCurrency: 'USD',
      resnapshot: false,
      ...options,
    });
    const running = stage.run(stopping.signal);
    const fault = running.then(
      () => null,
      (error: Error) => error,
    );
    const stop = async () => {
      stopping.abort();
      await running;
    };
    return { stage, running, fault, stop };
  };
  /** What a broker with the clock's time would stamp. */
  broker.before = (call, records) => {
    if (call === 'append') for (const record of records) Object.assign(record, { timestamp: clock.now() });
  };
  const published = (): readonly string[] =>
    broker.records(TOPICS.userBehavior.name).map(({ value, headers }) => {
      const event = JSON.parse(Buffer.from(value).toString());
      return `${headers['position']} ${event.interaction_id} ${event.op} ${event.status}`;
    });
  return { broker, shop, clock, folder, start, published };
}

/** The rows of a state file. */
function rowsIn(dir: string): readonly string[] {
  using db = new DatabaseSync(join(dir, 'capture-crm_db.db'), { readOnly: true });
  const rows = db.prepare('SELECT kind, id, body FROM entity ORDER BY kind, id').all();
  return rows.map(({ kind, id, body }) => `${kind}/${id} ${body}`);
}

const FIRST = [1, 2, 3, 4, 5, 6];
/** What the shop's writers do while captures come and go. */
async function write(shop: SharedShop, clock: ManualClock): Promise<void> {
  for (let n = 0; n < 8; n++) {
    shop.write([10 + n, 1 + (n % 6)], `round ${n}`);
    await clock.advance(400);
  }
}

/** All that a run without a fault leaves behind. */
async function faultless(t: TestContext) {
  const { shop, clock, folder, start, published } = setUp(t);
  shop.write(FIRST, 'old');
  const dir = folder();
  let appends = 0;
  const one = start(dir, (append, records) => {
    appends += 1;
    return append(records);
  });
  await clock.advance(100);
  await write(shop, clock);
  await one.stop();
  return { appends, published: published(), rows: rowsIn(dir) };
}

class Killed extends Error {}

for (const moment of ['before', 'after'] as const) {
  for (const successor of ['its standby', 'a new one', 'itself'] as const) {
    test(`killed ${moment} any of its writes, then ${successor}: each change stands in the log once`, async (t) => {
      const expected = await faultless(t);
      let refused = 0;
      for (let n = 1; n <= expected.appends; n++) {
        const { shop, clock, folder, start, published } = setUp(t);
        shop.write(FIRST, 'old');
        const [dir, other] = [folder(), folder()];
        let appends = 0;
        const first = start(dir, async (append, records) => {
          if (++appends < n) return append(records);
          if (appends === n && moment === 'after') await append(records);
          throw new Killed();
        });
        await clock.advance(0);
        let second = successor === 'its standby' ? start(other) : null;
        await write(shop, clock);
        if (appends < n) {
          // What is left is written only when it is stopped.
          assert.ok(n > 12);
          await Promise.allSettled([first.stop(), second?.stop()]);
          break;
        }
        assert.ok((await first.fault) instanceof Killed, `write ${n}`);
        second ??= start(successor === 'itself' ? dir : other);
        let at = successor === 'itself' ? dir : other;
        await clock.advance(100);
        await clock.advance(3_000);
        const loud = await Promise.race([second.fault, clock.advance(0)]);
        if (loud) {
          assert.notEqual(successor, 'itself', `write ${n}: ${loud}`);
          assert.match(loud.message, /was publishing a snapshot|state that belongs to them is missing/);
          refused += 1;
          second = start(dir);
          at = dir;
          await clock.advance(3_000);
        }
        await second.stop();
        // Killed before its snapshot was begun to be published, the next one's is another one.
        const again = n <= 2 && published()[0]!.slice(0, 16) !== expected.published[0]!.slice(0, 16);
        if (!again) assert.deepEqual(published(), expected.published, `write ${n}`);
        const count = published().length;
        assert.equal(published().filter((event) => event.includes('recorded')).length, expected.rows.length);
        assert.deepEqual(rowsIn(at), expected.rows, `write ${n}`);
        // And the log alone tells the same.
        const third = folder();
        const last = start(third);
        await clock.advance(100);
        await last.stop();
        assert.deepEqual(rowsIn(third), expected.rows, `write ${n}`);
        assert.equal(published().length, count);
      }
      assert.ok(refused < 5, `${refused} of ${expected.appends} are refused`);
    });
  }
}

test('frozen in any of its writes and awake after the takeover, it writes nothing more', async (t) => {
  const expected = await faultless(t);
  for (let n = 6; n <= expected.appends; n++) {
    const { broker, shop, clock, folder, start, published } = setUp(t);
    shop.write(FIRST, 'old');
    const [dir, other] = [folder(), folder()];
    const thaw = Promise.withResolvers<void>();
    let appends = 0;
    const first = start(dir, async (append, records) => {
      if (++appends === n) await thaw.promise;
      await append(records);
    });
    await clock.advance(0);
    const second = start(other);
    await clock.advance(0);
    assert.equal(second.stage.health().state, 'standby');
    await write(shop, clock);
    if (appends < n) {
      // What is left is written only when it is stopped.
      assert.ok(n > 12);
      thaw.resolve();
      await Promise.all([first.stop(), second.stop()]);
      break;
    }
    shop.takeFromOwner();
    await clock.advance(3_000);
    assert.equal(second.stage.health().state, 'running');
    const before = broker.records(CAPTURE_STATE_TOPIC.name).length;
    thaw.resolve();
    await clock.advance(0);
    const fault = await first.fault;
    assert.ok(fault && isRetryable(fault) && /took over/.test(fault.message), `write ${n}: ${fault}`);
    assert.equal(broker.records(CAPTURE_STATE_TOPIC.name).length, before);
    shop.write([1], 'last');
    await clock.advance(3_000);
    await second.stop();
    assert.deepEqual(published().toSorted().slice(0, -1), expected.published.toSorted(), `write ${n}`);
  }
});

test('rows of a save that was cut are not of the state that the next one begins with', async (t) => {
  const { broker, shop, clock, folder, start } = setUp(t);
  shop.write(FIRST, 'old');
  const dir = folder();
  const first = start(dir, async (append, records) => {
    await append(records);
    if (records.some(({ key, value }) => key === '1/2' && String(value).includes('cut'))) throw new Killed();
  });
  await clock.advance(1_500);
  shop.write([2, 20], 'cut');
  await clock.advance(1_500);
  assert.ok((await first.fault) instanceof Killed);
  const other = folder();
  let begins: readonly string[] = [];
  shop.opened = () => {
    begins = rowsIn(other);
  };
  const second = start(other);
  await clock.advance(100);
  assert.equal(begins.length, FIRST.length);
  assert.ok(begins.every((row) => row.includes('old')));
  const values = broker
    .records(CAPTURE_STATE_TOPIC.name)
    .filter(({ key }) => key === '1/2')
    .map(({ value }) => /old|cut/.exec(String(value))?.[0]);
  assert.deepEqual(values.slice(0, 3), ['old', 'cut', 'old']);
  await second.stop();
});

test('a save that was cut more than a day ago stops whoever knows only the topic', async (t) => {
  const { broker, shop, clock, folder, start, published } = setUp(t);
  shop.write(FIRST, 'old');
  const dir = folder();
  const first = start(dir, async (append, records) => {
    await append(records);
    if (records.some(({ key, value }) => key === '1/2' && String(value).includes('cut'))) throw new Killed();
  });
  await clock.advance(1_500);
  shop.write([2], 'cut');
  await clock.advance(1_500);
  await first.fault;
  await clock.advance(86_400_000);
  const second = start(folder());
  await clock.advance(100);
  assert.match(String(await second.fault), /cut more than a day ago/);
  const again = start(folder(), undefined, { resnapshot: true });
  await clock.advance(100);
  await again.stop();
  assert.equal(published().length, FIRST.length + 1, 'what was published of the cut save is known');
  const third = start(dir);
  await clock.advance(100);
  await third.stop();
  assert.equal(broker.records(CAPTURE_STATE_TOPIC.name).at(-1)?.key, 'head');
});

test('what is forgotten is forgotten by whoever follows, and by the topic', async (t) => {
  const { broker, shop, clock, folder, start } = setUp(t);
  const [dir, other] = [folder(), folder()];
  const options = { retentionMs: 5_000 };
  const first = start(dir, undefined, options);
  await clock.advance(0);
  const second = start(other, undefined, options);
  shop.write([1, 2, 3], 'old');
  await clock.advance(1_000);
  for (let n = 0; n < 8; n++) {
    shop.write([100 + n], 'new');
    await clock.advance(1_500);
  }
  assert.ok(rowsIn(dir).length < 8);
  assert.deepEqual(rowsIn(other), rowsIn(dir));
  const ends = new Map(broker.records(CAPTURE_STATE_TOPIC.name).map(({ key, value }) => [key, value.length]));
  assert.deepEqual(
    ['1/1', '1/2', '1/3'].map((key) => ends.get(key)),
    [0, 0, 0],
  );
  await first.stop();
  await second.stop();
});

test('a body that is larger than a record comes in pieces', async (t) => {
  const { broker, shop, clock, folder, start } = setUp(t);
  const [dir, other] = [folder(), folder()];
  const first = start(dir);
  await clock.advance(0);
  const second = start(other);
  shop.write([1, 2], 'x'.repeat(9_000));
  await clock.advance(1_500);
  shop.write([3], 'y');
  await clock.advance(1_500);
  assert.ok(broker.records(CAPTURE_STATE_TOPIC.name).some(({ key }) => key === '1/1/0'));
  assert.equal(rowsIn(dir).length, 3);
  assert.deepEqual(rowsIn(other), rowsIn(dir));
  await first.stop();
  await second.stop();
});

test('what comes after an append that is under way is sent only when that one is in the log', async (t) => {
  const { shop, clock, folder, start, published } = setUp(t);
  const dir = folder();
  const failing = Promise.withResolvers<void>();
  let sent = 0;
  const first = start(dir, async (append, records) => {
    if (records[0]?.topic !== TOPICS.userBehavior.name) return append(records);
    sent += 1;
    // Only the first one fails: a later one would be in the log, and stand for what is missing before it.
    if (sent === 1) await failing.promise;
    await append(records);
  });
  await clock.advance(0);
  shop.write([1], 'old');
  await clock.advance(100);
  shop.write([4], 'new');
  await clock.advance(100);
  assert.equal(sent, 1);
  failing.reject(new Killed());
  await clock.advance(0);
  assert.ok((await first.fault) instanceof Killed);
  assert.equal(sent, 1);
  const second = start(dir);
  await clock.advance(3_000);
  await second.stop();
  assert.deepEqual(
    published().map((event) => event.split(' ')[1]),
    ['1', '4'],
  );
});
