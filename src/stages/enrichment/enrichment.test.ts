import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { DEAD_LETTER_HEADERS } from '../../contracts/dead-letter.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../contracts/events/transaction.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { eventId } from '../../lib/ids.ts';
import { silentLog } from '../../lib/log.ts';
import { positionOf } from '../../lib/position.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import { enrichment } from './enrichment.ts';

const [ITEM] = TRANSACTION_EXAMPLE.items;
const saleRecord = (id: number, change: Partial<TransactionEvent> = {}): OutgoingRecord => {
  const items = [1, 2].map((n) => ({ ...ITEM!, transaction_detail_id: id * 10 + n }));
  const event = {
    ...TRANSACTION_EXAMPLE,
    transaction_id: id,
    event_id: eventId(`sale/${id}`),
    items,
    ...change,
  };
  const value = Buffer.from(JSON.stringify(event));
  return { topic: TOPICS.transactions.name, partition: id % 6, key: String(id), value, headers: {} };
};

const setUp = () => {
  const broker = memoryBroker(Object.values(TOPICS));
  /** Runs the stage until it has read everything or fails. */
  const runOnce = async () => {
    const stage = enrichment({ broker, clock: systemClock, log: silentLog });
    const stop = new AbortController();
    const run = stage.run(stop.signal);
    while (
      stage.health().lag !== 0 &&
      (await Promise.race([run.catch(() => 'failed'), tick()])) !== 'failed'
    );
    stop.abort();
    await run;
    return stage.health();
  };
  return { broker, runOnce };
};
const tick = () => new Promise<void>((resolve) => setImmediate(resolve));
const json = (record: { value: Uint8Array }) => JSON.parse(Buffer.from(record.value).toString());

test('items go to the partition of their sale, with rising positions and the snapshot mark', async () => {
  const { broker, runOnce } = setUp();
  const snapshot = {
    ...saleRecord(1),
    headers: { [HEADERS.snapshot]: '1', [HEADERS.replayFor]: 'enrichment' },
  };
  await broker.append([snapshot, saleRecord(7), saleRecord(2)]);
  const health = await runOnce();
  const items = broker.records(TOPICS.transactionItems.name);
  assert.deepEqual(
    items.map(({ partition, key, headers }) => [partition, key, headers]),
    [
      [1, '1', { position: positionOf(1n, 0), snapshot: '1' }],
      [1, '1', { position: positionOf(1n, 1), snapshot: '1' }],
      [1, '7', { position: positionOf(2n, 0) }],
      [1, '7', { position: positionOf(2n, 1) }],
      [2, '2', { position: positionOf(1n, 0) }],
      [2, '2', { position: positionOf(1n, 1) }],
    ],
  );
  assert.deepEqual([health.processed, health.dead_letters], [3, 0]);
});

test('killed between append and acknowledgement: each item stands in the log once', async () => {
  const { broker, runOnce } = setUp();
  await broker.append([saleRecord(1), saleRecord(2)]);
  broker.before = (call) => {
    if (call === 'commit') throw new Error('killed');
  };
  await assert.rejects(runOnce(), /killed/);
  broker.before = () => {};
  await broker.append([saleRecord(3)]);
  await runOnce();
  const ids = broker
    .records(TOPICS.transactionItems.name)
    .map((record) => json(record).transaction_detail_id);
  assert.deepEqual(ids.sort(), [11, 12, 21, 22, 31, 32]);
});

test('an append of which only a part became durable is completed', async () => {
  const { broker, runOnce } = setUp();
  const position = positionOf(1n, 0);
  const record = saleRecord(1, { source_position: position });
  await broker.append([{ ...record, headers: { [HEADERS.position]: position } }]);
  const whole = broker.append;
  broker.append = async (records) => {
    broker.append = whole;
    await whole(records.slice(0, 1));
    throw new Error('killed');
  };
  await assert.rejects(runOnce(), /killed/);
  await runOnce();
  const ids = broker
    .records(TOPICS.transactionItems.name)
    .map((record) => json(record).transaction_detail_id);
  assert.deepEqual(ids, [11, 12]);
});

test('an old item that was sent again for another stage does not tell how far enrichment came', async () => {
  const { broker, runOnce } = setUp();
  await broker.append([saleRecord(1), saleRecord(7)]);
  await runOnce();
  const topic = TOPICS.transactionItems.name;
  const [oldest] = broker.records(topic);
  const replayed = { [HEADERS.replayOf]: 'dead_letters/1/0', [HEADERS.replayFor]: 'loader' };
  await broker.append([{ ...oldest!, headers: { ...oldest!.headers, ...replayed } }]);
  broker.before = (call) => {
    if (call === 'commit') throw new Error('killed');
  };
  await broker.append([saleRecord(13)]);
  await assert.rejects(runOnce(), /killed/);
  broker.before = () => {};
  await runOnce();
  const ids = broker
    .records(topic)
    .filter(({ headers }) => headers[HEADERS.replayFor] === undefined)
    .map((record) => json(record).transaction_detail_id);
  assert.deepEqual(ids, [11, 12, 71, 72, 131, 132]);
  await broker.append([{ ...oldest!, headers: { ...oldest!.headers, ...replayed } }]);
  await broker.commit('enrichment', new Map([['transactions/1', 0]]));
  await runOnce();
  const after = broker.records(topic).filter(({ headers }) => headers[HEADERS.replayFor] === undefined);
  assert.equal(after.length, 6, 'nothing is made twice');
});

test('sales that a dead process wrote late are dropped, also after a restart', async () => {
  const { broker, runOnce } = setUp();
  const at = (id: number, ordinal: number): OutgoingRecord => {
    const position = positionOf(1n, ordinal);
    return { ...saleRecord(id, { source_position: position }), headers: { [HEADERS.position]: position } };
  };
  await broker.append([at(1, 4), at(7, 5), at(1, 4)]);
  assert.equal((await runOnce()).figures['position_dropped'], 1);
  await broker.append([at(7, 5), at(13, 6)]);
  assert.equal((await runOnce()).figures['position_dropped'], 1);
  const ids = broker
    .records(TOPICS.transactionItems.name)
    .map((record) => json(record).transaction_detail_id);
  assert.deepEqual(ids, [11, 12, 71, 72, 131, 132]);
});

test('a sale replayed for this stage makes items for all readers; replays for others are passed over', async () => {
  const { broker, runOnce } = setUp();
  const replay = { [HEADERS.replayOf]: 'dead_letters/1/3', [HEADERS.replayFor]: 'enrichment' };
  await broker.append([
    { ...saleRecord(1), headers: replay },
    { ...saleRecord(7), headers: { ...replay, [HEADERS.replayFor]: 'metrics' } },
  ]);
  await runOnce();
  const items = broker.records(TOPICS.transactionItems.name);
  assert.deepEqual(
    items.map(({ key, headers }) => [key, headers[HEADERS.replayOf], headers[HEADERS.replayFor]]),
    [
      ['1', 'dead_letters/1/3/0', undefined],
      ['1', 'dead_letters/1/3/1', undefined],
    ],
  );
});

test('nothing is acknowledged before its items are in the log', async () => {
  const { broker, runOnce } = setUp();
  await broker.append([saleRecord(1)]);
  broker.before = (call) => {
    if (call === 'append') throw new Error('killed');
  };
  await assert.rejects(runOnce(), /killed/);
  assert.equal((await broker.committed('enrichment')).size, 0);
});

test('what cannot be read, and items that make no sense, are dead letters; the rest goes on', async () => {
  const { broker, runOnce } = setUp();
  const poor = [{ ...ITEM!, transaction_detail_id: 51, quantity: 0 }, ITEM!];
  await broker.append([
    { ...saleRecord(1), value: Buffer.from('{"half') },
    { ...saleRecord(1), value: Buffer.from([0x22, 0xff, 0x22]) },
    { ...saleRecord(1), value: Buffer.from('{"event_type":"transaction"}') },
    saleRecord(5, { items: poor }),
  ]);
  const health = await runOnce();
  const letters = broker.records(TOPICS.deadLetters.name);
  assert.deepEqual(
    letters.map(({ partition, headers }) => [partition, headers[DEAD_LETTER_HEADERS.reason]]),
    [
      [1, 'invalid_json'],
      [1, 'invalid_json'],
      [1, 'schema'],
      [5, 'invalid_quantity'],
    ],
  );
  const { headers, value } = letters[3]!;
  assert.equal(headers[DEAD_LETTER_HEADERS.topic], TOPICS.transactions.name);
  assert.equal(headers[DEAD_LETTER_HEADERS.offset], '0');
  assert.equal(json({ value }).transaction_detail_id, 51);
  assert.equal(broker.records(TOPICS.transactionItems.name).length, 1);
  assert.equal(health.dead_letters, 4);
});

test('a topic of sales made anew under existing items stops the stage', async () => {
  const { broker, runOnce } = setUp();
  const { topic: _, ...item } = saleRecord(1);
  const headers = { [HEADERS.position]: positionOf(5n, 0) };
  await broker.append([{ ...item, topic: TOPICS.transactionItems.name, headers }]);
  await assert.rejects(runOnce(), { name: 'UserError' });
});

test('shared by several, and frozen in the middle of an append: each item stands in the log once', async () => {
  const { broker } = setUp();
  const start = () => {
    const stop = new AbortController();
    const stage = enrichment({ broker, clock: systemClock, log: silentLog });
    const run = stage.run(stop.signal);
    run.catch(() => {});
    return { stage, stop, run };
  };
  const itemIds = () =>
    broker.records(TOPICS.transactionItems.name).map((record) => json(record).transaction_detail_id);
  const sales = (from: number, to: number) =>
    Array.from({ length: to - from }, (_, n) => {
      const position = positionOf(BigInt(from + n), 0);
      const record = saleRecord(from + n, { source_position: position });
      return { ...record, headers: { [HEADERS.position]: position } };
    });
  const settle = async () => {
    for (let turn = 0; turn < 50; turn++) await tick();
  };
  const thaw = Promise.withResolvers<void>();
  await broker.append(sales(1, 13));
  const first = start();
  await settle();
  const second = start();
  await settle();
  assert.equal(itemIds().length, 24);
  // Both work; whoever appends next is frozen, and the other one gets its partitions.
  let frozen: string[] = [];
  broker.hold = async (owner) => {
    if (owner.endsWith('-0') || owner.endsWith('-2') || owner.endsWith('-4')) {
      frozen = [...frozen, owner];
      await thaw.promise;
    }
  };
  await broker.append(sales(13, 25));
  await settle();
  assert.equal(frozen.length, 3);
  broker.hold = null;
  broker.expel('enrichment', 0);
  await settle();
  await broker.append(sales(25, 31));
  await settle();
  assert.equal(itemIds().length, 60, 'the other one makes all items');
  thaw.resolve();
  await settle();
  assert.equal(itemIds().length, 60, 'the frozen one adds nothing');
  await assert.rejects(first.run, { name: 'FencedError' });
  second.stop.abort();
  await second.run;
  assert.equal(itemIds().length, 60);
  assert.equal(new Set(itemIds()).size, 60);
});
