// The loader with a real warehouse: what is refused today and replayed tomorrow counts once.
import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { testPostgres } from '../../../test/support/postgres.ts';
import { TRANSACTION_EXAMPLE } from '../../contracts/events/transaction.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { eventId } from '../../lib/ids.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import type { ReadOptions } from '../../stores/broker/broker.ts';
import { listDeadLetters, replayDeadLetters } from '../../stores/broker/dead-letter-queue.ts';
import { postgresWarehouse } from '../../stores/warehouse/postgres-warehouse.ts';
import { loader } from './loader.ts';

const postgres = await testPostgres();
after(() => postgres.stop());

const saleRecord = (id: number, customer_name = 'Casa Luna') => ({
  topic: TOPICS.transactions.name,
  partition: id % 6,
  key: String(id),
  value: Buffer.from(
    JSON.stringify({ ...TRANSACTION_EXAMPLE, transaction_id: id, event_id: eventId(`${id}`), customer_name }),
  ),
  headers: {},
});

const setUp = async () => {
  const broker = memoryBroker(Object.values(TOPICS));
  const url = await postgres.database();
  const warehouse = postgresWarehouse({ url, clock: systemClock });
  await warehouse.migrate();
  /** Runs a new loader until the warehouse has all of the log. */
  const catchUp = async () => {
    const stop = new AbortController();
    const run = loader({ broker, warehouse, clock: systemClock, log: silentLog }).run(stop.signal);
    const ends = await broker.partitions(TOPICS.transactions.name);
    const behind = async () => {
      const offsets = await warehouse.offsets();
      return ends.some(
        ({ topic, partition, end }) => (offsets.get(`${topic}/${partition}`)?.nextOffset ?? 0) < end,
      );
    };
    while (await behind()) await Promise.race([run, systemClock.sleep(5)]);
    stop.abort();
    await run;
  };
  const completed = async () => {
    const points = await warehouse.history(0, 8e15);
    const { ledger } = await warehouse.accounting();
    const sum = points.reduce((total, point) => total + point.completed, 0);
    assert.equal(ledger.find(({ status }) => status === 'completed')?.rows, sum);
    return sum;
  };
  return { broker, url, warehouse, catchUp, completed };
};

test('poison is put aside, and replayed after the cause is mended it gives exact totals, once', async () => {
  const { broker, url, warehouse, catchUp, completed } = await setUp();
  await postgres.sql(url, `ALTER TABLE realtime_events ADD CONSTRAINT mend CHECK (customer_name <> 'bad')`);
  await broker.append(Array.from({ length: 100 }, (_, id) => saleRecord(id, id % 33 === 5 ? 'bad' : 'good')));
  await catchUp();
  assert.equal(await completed(), 97);
  const letters = await listDeadLetters(broker, { limit: 9, reason: 'warehouse_rejected' });
  assert.deepEqual(letters.map(({ key }) => Number(key)).sort(), [38, 5, 71]);
  assert.match(letters[0]!.message, /violates check constraint "mend"/);

  await postgres.sql(url, 'ALTER TABLE realtime_events DROP CONSTRAINT mend');
  assert.equal((await replayDeadLetters(broker, {})).replayed, 3);
  await catchUp();
  assert.equal(await completed(), 100);

  assert.equal((await replayDeadLetters(broker, {})).replayed, 0);
  const replays = broker.records(TOPICS.transactions.name).slice(-1);
  await broker.append(replays);
  await catchUp();
  assert.equal(await completed(), 100);
  await warehouse.close();
});

test('stopped and started at any time, it stores each event once', async () => {
  const { broker, warehouse, catchUp, completed } = await setUp();
  for (let round = 0; round < 5; round++) {
    await broker.append(Array.from({ length: 50 }, (_, n) => saleRecord(round * 50 + n)));
    const stop = new AbortController();
    const stage = loader({ broker, warehouse, clock: systemClock, log: silentLog });
    const run = stage.run(stop.signal);
    await systemClock.sleep(round * 3);
    stop.abort();
    await run;
  }
  await catchUp();
  assert.equal(await completed(), 250);
  await warehouse.close();
});

test('two loaders share the partitions; one frozen in the middle of a load holds nobody up for long', async () => {
  const { broker, url, warehouse, completed } = await setUp();
  const other = postgresWarehouse({ url, clock: systemClock });
  const start = (store: typeof warehouse) => {
    const stop = new AbortController();
    const run = loader({ broker, warehouse: store, clock: systemClock, log: silentLog }).run(stop.signal);
    run.catch(() => {});
    return { stop, run };
  };
  const until = async (done: () => Promise<boolean>) => {
    const end = performance.now() + 20_000;
    while (!(await done()) && performance.now() < end) await systemClock.sleep(20);
  };
  const stored = async () => (await warehouse.totals()).transactions;
  await broker.append(Array.from({ length: 60 }, (_, id) => saleRecord(id)));
  const thaw = Promise.withResolvers<void>();
  let isFrozen = false;
  // Frozen with its rows inserted and its transaction open.
  const freezing: typeof warehouse = {
    ...warehouse,
    load: (records, offsets) =>
      warehouse.load([...records, { ...records[0]!, json: '{"no": "event"}' }], offsets, async () => {
        isFrozen = true;
        await thaw.promise;
      }),
  };
  const first = start(freezing);
  await until(async () => isFrozen);
  assert.equal(await stored(), 0);
  broker.expel('loader', 0);
  const second = start(other);
  await broker.append(Array.from({ length: 40 }, (_, n) => saleRecord(60 + n)));
  const startedAt = performance.now();
  await until(async () => (await stored()) === 100);
  assert.equal(await completed(), 100);
  assert.ok(performance.now() - startedAt < 15_000);
  thaw.resolve();
  const fault = await first.run.then(
    () => null,
    (error) => error,
  );
  assert.ok(isRetryable(fault), String(fault));
  second.stop.abort();
  await second.run;
  assert.equal(await completed(), 100);
  await Promise.all([warehouse.close(), other.close()]);
});

test('two loaders that store the same records at once store each of them once', async () => {
  const { broker, url, warehouse, completed } = await setUp();
  const other = postgresWarehouse({ url, clock: systemClock });
  await broker.append(Array.from({ length: 3_000 }, (_, id) => saleRecord(id)));
  const stop = new AbortController();
  // Each believes it is alone.
  const alone = { ...broker, read: (options: ReadOptions) => broker.read({ ...options, shared: false }) };
  const runs = [warehouse, other].map((store) =>
    loader({ broker: alone, warehouse: store, clock: systemClock, log: silentLog }).run(stop.signal),
  );
  const end = performance.now() + 20_000;
  while ((await warehouse.totals()).transactions < 3_000 && performance.now() < end) {
    await Promise.race([...runs, systemClock.sleep(20)]);
  }
  await systemClock.sleep(300);
  stop.abort();
  await Promise.all(runs);
  assert.equal(await completed(), 3_000);
  await Promise.all([warehouse.close(), other.close()]);
});
