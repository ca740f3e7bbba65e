import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { DEAD_LETTER_HEADERS } from '../../contracts/dead-letter.ts';
import { TRANSACTION_EXAMPLE } from '../../contracts/events/transaction.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import type { LoadRecord, Warehouse } from '../../stores/warehouse/warehouse.ts';
import { loader } from './loader.ts';
import { holdsNul } from './nul.ts';

const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const clock: Clock = { now: () => 1, sleep: tick };

const saleRecord = (id: number, headers = {}): OutgoingRecord => ({
  topic: TOPICS.transactions.name,
  partition: 0,
  key: String(id),
  value: Buffer.from(JSON.stringify({ ...TRANSACTION_EXAMPLE, transaction_id: id, committed_at: id })),
  headers,
});

/** A warehouse that keeps what it is given; `fault` makes a load fail, `refuses` picks what its database refuses. */
const setUp = () => {
  const broker = memoryBroker(Object.values(TOPICS));
  const offsets = new Map<string, { topicId: string; nextOffset: number }>();
  const state = {
    loaded: [] as LoadRecord[],
    loads: 0,
    pruned: 0,
    fault: null as Error | null,
    refuses: (_: LoadRecord) => false,
  };
  const warehouse: Pick<Warehouse, 'offsets' | 'load' | 'prune'> = {
    offsets: async () => new Map(offsets),
    prune: async () => ++state.pruned,
    load: async (records, moved, refuse) => {
      await tick();
      if (state.fault) throw state.fault;
      const rejected = records.filter(state.refuses);
      if (rejected.length > 0) {
        await refuse(
          rejected.map((record) => ({ record, reason: 'warehouse_rejected' as const, message: 'no' })),
        );
      }
      const stored = records.filter((record) => !state.refuses(record));
      state.loaded.push(...stored);
      state.loads += 1;
      for (const { topic, partition, ...offset } of moved) offsets.set(`${topic}/${partition}`, offset);
      return { inserted: stored.length, repeated: 0, rejected: rejected.length };
    },
  };
  const stage = loader({ broker, warehouse, clock, log: silentLog });
  /** Runs the stage until it has read everything or fails. */
  const runOnce = async () => {
    const stop = new AbortController();
    const before = stage.health().processed;
    let failed = false;
    const run = stage.run(stop.signal);
    run.catch(() => {
      failed = true;
    });
    while (!failed && (stage.health().processed === before || stage.health().lag !== 0)) await tick();
    stop.abort();
    await run;
    return stage.health();
  };
  return { broker, offsets, state, stage, runOnce };
};

const ids = (loaded: readonly LoadRecord[]) =>
  loaded.map(({ event }) => (event as typeof TRANSACTION_EXAMPLE).transaction_id);

test('goes on where the warehouse says, whatever the group committed', async () => {
  const { broker, offsets, state, runOnce } = setUp();
  await broker.append([saleRecord(1), saleRecord(2), saleRecord(3)]);
  offsets.set('transactions/0', { topicId: 'transactions', nextOffset: 1 });
  await broker.commit('loader', new Map([['transactions/0', 3]]));
  const health = await runOnce();
  assert.deepEqual(ids(state.loaded), [2, 3]);
  assert.deepEqual(offsets.get('transactions/0'), { topicId: 'transactions', nextOffset: 3 });
  assert.deepEqual([health.processed, health.newest_at, health.lag], [2, 3, 0]);
});

test('a load that fails acknowledges nothing, and the records come again', async () => {
  const { broker, state, runOnce } = setUp();
  await broker.append([saleRecord(1)]);
  state.fault = new Error('connection lost');
  await assert.rejects(runOnce(), /connection lost/);
  assert.equal((await broker.committed('loader')).size, 0);
  state.fault = null;
  await runOnce();
  assert.deepEqual(ids(state.loaded), [1]);
  assert.equal((await broker.committed('loader')).get('transactions/0'), 1);
});

test('a backlog is stored in order, in large batches, while the next one is checked', async () => {
  const { broker, state, runOnce } = setUp();
  await broker.append(Array.from({ length: 4_500 }, (_, id) => saleRecord(id)));
  await runOnce();
  assert.deepEqual(ids(state.loaded), [...Array(4_500).keys()]);
  assert.equal(state.loads, 5);
  assert.equal(state.pruned, 1);
});

test('what is no event, or holds NUL, is put aside before the offsets move; the rest is stored', async () => {
  const { broker, offsets, state, runOnce } = setUp();
  const text = String(saleRecord(3).value);
  await broker.append([
    { ...saleRecord(1), value: Buffer.from('{') },
    { ...saleRecord(2), value: Buffer.from('{}') },
    { ...saleRecord(3), value: Buffer.from(text.replace('Ana', 'A\\u0000na')) },
    { ...saleRecord(4), value: Buffer.from(text.replace('Ana', 'A\\\\u0000na')) },
  ]);
  broker.before = (call) => {
    if (call === 'append') throw new Error('broker down');
  };
  await assert.rejects(runOnce(), /broker down/);
  assert.deepEqual([offsets.size, state.loaded.length], [0, 0]);
  broker.before = () => {};
  const health = await runOnce();
  assert.deepEqual(
    broker.records(TOPICS.deadLetters.name).map(({ headers }) => headers[DEAD_LETTER_HEADERS.reason]),
    ['invalid_json', 'schema', 'invalid_text'],
  );
  assert.deepEqual([state.loaded.length, health.dead_letters], [1, 3]);
});

test('what the warehouse refuses is put aside with its original bytes', async () => {
  const { broker, offsets, state, runOnce } = setUp();
  await broker.append([saleRecord(1), saleRecord(2)]);
  state.refuses = ({ offset }) => offset === 0;
  await runOnce();
  const [letter] = broker.records(TOPICS.deadLetters.name);
  assert.deepEqual(letter?.value, saleRecord(1).value);
  assert.equal(letter?.headers[DEAD_LETTER_HEADERS.reason], 'warehouse_rejected');
  assert.equal(offsets.get('transactions/0')?.nextOffset, 2);
});

test('replays for another stage are passed over', async () => {
  const { broker, state, runOnce } = setUp();
  await broker.append([
    saleRecord(1, { [HEADERS.replayFor]: 'metrics' }),
    saleRecord(2, { [HEADERS.replayFor]: 'loader' }),
  ]);
  await runOnce();
  assert.deepEqual(ids(state.loaded), [2]);
});

test('a topic made anew stops the stage', async () => {
  const { broker, offsets, runOnce } = setUp();
  await broker.append([saleRecord(1)]);
  offsets.set('transactions/0', { topicId: 'an older one', nextOffset: 1 });
  await assert.rejects(runOnce(), { name: 'UserError' });
});

test('NUL is told from text that only looks like it', () => {
  const holds = ['\u0000', 'a\u0000', '\\\u0000', '\\\\\u0000b'];
  const not = ['\\u0000', '\\\\u0000', 'u0000', ''];
  assert.deepEqual(
    [...holds, ...not].map((text) => holdsNul(JSON.stringify(text))),
    [...holds.map(() => true), ...not.map(() => false)],
  );
});
