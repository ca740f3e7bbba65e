import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { afterEach, beforeEach } from 'node:test';
import { ModelQuery } from '../../../../test/support/golden/model-query.ts';
import { type MemoryBroker, memoryBroker } from '../../../../test/support/memory-broker.ts';
import { DEAD_LETTER_HEADERS } from '../../../contracts/dead-letter.ts';
import { SPARK_WINDOWS_TOPIC, TOPICS } from '../../../contracts/topics.ts';
import { systemClock } from '../../../lib/clock.ts';
import { UserError } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { metricsStage } from '../embedded/stage.ts';
import { readAccounting } from '../sqlite-checkpoint.ts';
import { countedIn, NOW, runStage, sale, writtenTo } from '../testing/stage-runs.ts';
import { sparkMetricsStage } from './stage.ts';

let dir = '';
let broker: MemoryBroker;
let query: ModelQuery;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-spark-metrics-'));
  broker = memoryBroker([...Object.values(TOPICS), SPARK_WINDOWS_TOPIC]);
  query = new ModelQuery(broker);
});
afterEach(() => rmSync(dir, { recursive: true }));

const poison = { ...sale(6), value: Buffer.from('{"poison') };

const stageOf = (options: Partial<Parameters<typeof sparkMetricsStage>[0]> = {}) =>
  sparkMetricsStage({
    broker,
    clock: systemClock,
    log: silentLog,
    dir,
    query,
    checkpointIntervalMs: 20,
    ...options,
  });

const runUntil = (done: () => boolean, stage = stageOf()) => runStage(stage, done, 2_000);
const written = () => writtenTo(broker);
const counted = () => countedIn(broker);
const entered = (): number => readAccounting(dir)?.windows.sales[0]?.entered ?? 0;
const letters = () => broker.records(TOPICS.deadLetters.name);

test('events become values, and a stopped stage goes on where it was', async () => {
  await broker.append([sale(1), sale(2)]);
  const first = await runUntil(() => entered() === 2);
  assert.deepEqual([first.processed, first.lag, first.newest_at], [2, 0, NOW]);
  assert.equal(counted(), 2);
  await broker.append([sale(3)]);
  const second = await runUntil(() => entered() === 3);
  assert.equal(second.processed, 1, 'nothing is counted twice');
  assert.equal(counted(), 3);
  assert.equal(readAccounting(dir)!.offsets.get('transactions/3'), 1);
  assert.equal(new Set(query.starts).size, 1, 'the same generation');
  assert.equal(second.figures['spark_starts'], query.starts.length);
});

test('nothing is saved while a batch is half written, and its values are written at once', async () => {
  await broker.append([sale(1), sale(2), sale(3), sale(4)]);
  const goOn = Promise.withResolvers<void>();
  query.inBatch = () => goOn.promise;
  let savedMeanwhile = -1;
  let waited = false;
  await runUntil(() => {
    if (written().length === 0 || waited) return entered() === 4;
    waited = true;
    void systemClock.sleep(100).then(() => {
      savedMeanwhile = readAccounting(dir)!.events.length;
      goOn.resolve();
    });
    return false;
  });
  assert.equal(savedMeanwhile, 0);
  assert.equal(entered(), 4);
});

test('whatever append fails, the values and the accounting are the same in the end', async () => {
  const records = [sale(1), poison, sale(2), sale(3, { event_time: NOW + 3_600_000 }), sale(4)];
  const results: unknown[] = [];
  for (let failing = 0; failing <= 12; failing++) {
    const folder = join(dir, String(failing));
    broker = memoryBroker([...Object.values(TOPICS), SPARK_WINDOWS_TOPIC]);
    query = new ModelQuery(broker);
    await broker.append(records.slice(0, 3));
    let appends = 0;
    broker.before = (call) => {
      if (call === 'append' && ++appends === failing) throw new Error('lost connection');
    };
    const more = systemClock.sleep(60).then(() => broker.append(records.slice(3)).catch(() => {}));
    const stage = () => stageOf({ dir: folder });
    const isDone = () =>
      (readAccounting(folder)?.events.reduce((sum, { count }) => sum + count, 0) ?? 0) === 5;
    for (let attempt = 0; attempt < 3 && !isDone(); attempt++) {
      await runUntil(isDone, stage()).catch(() => {});
      await more;
      if (broker.records(TOPICS.transactions.name).length < 5) await broker.append(records.slice(3));
    }
    assert.equal(counted(), 3, `append ${failing}`);
    const reasons = new Set(letters().map(({ headers }) => headers[DEAD_LETTER_HEADERS.reason]));
    assert.deepEqual([...reasons].sort(), ['future_event_time', 'invalid_json']);
    const { windows, tooLate, quarantined, events, offsets } = readAccounting(folder)!;
    results.push({ windows, tooLate, quarantined, offsets, events: events.map((row) => ({ ...row })) });
  }
  for (const result of results) assert.deepEqual(result, results[0]);
});

test('dead letters have the original bytes, and a batch that is run again writes none twice', async () => {
  let failures = 0;
  broker.before = (_call, records) => {
    if (records[0]?.topic === SPARK_WINDOWS_TOPIC.name && ++failures === 3) throw new Error('executor lost');
  };
  await broker.append([poison, sale(1), sale(2, { event_time: NOW + 3_600_000 })]);
  const health = await runUntil(() => entered() === 1);
  assert.ok(query.starts.length > 1, 'the query was started again');
  assert.equal(health.dead_letters, 2);
  assert.deepEqual([health.figures['refused'], health.figures['quarantined']], [1, 1]);
  assert.deepEqual(
    letters().map(({ partition, key, headers }) => [partition, key, headers[DEAD_LETTER_HEADERS.reason]]),
    [
      [0, '6', 'invalid_json'],
      [2, '2', 'future_event_time'],
    ],
  );
  assert.deepEqual(letters()[0]!.value, Uint8Array.from(poison.value));
});

test('a refused record is in dead_letters before the checkpoint moves past it', async () => {
  let failures = 0;
  broker.before = (_call, records) => {
    if (records[0]?.topic === TOPICS.deadLetters.name && ++failures === 1) throw new Error('lost connection');
  };
  await broker.append([poison, sale(1)]);
  await assert.rejects(
    runUntil(() => entered() === 1),
    /lost connection/,
  );
  assert.deepEqual([letters().length, readAccounting(dir)!.events.length], [0, 0]);
  await runUntil(() => entered() === 1);
  assert.equal(letters().length, 1);
});

test('another plan is another generation, counted from the start of the log', async () => {
  await broker.append([sale(1), sale(2)]);
  await runUntil(() => entered() === 2);
  query.planVersion = 2;
  const health = await runUntil(() => query.starts.length > 1 && entered() === 2);
  assert.equal(health.processed, 2);
  assert.equal(new Set(query.starts).size, 2);
});

test('rows that are gone from their topic are counted anew', async () => {
  await broker.append([sale(1), sale(2)]);
  await runUntil(() => entered() === 2);
  const isRows = (topic: string) => topic === SPARK_WINDOWS_TOPIC.name;
  const remade = {
    ...broker,
    partitions: async (topic: string) =>
      (await broker.partitions(topic)).map((state) => (isRows(topic) ? { ...state, topicId: 'new' } : state)),
  };
  await runUntil(() => query.starts.length > 1 && entered() === 2, stageOf({ broker: remade }));
  assert.equal(new Set(query.starts).size, 2);
  assert.equal(entered(), 2);
});

test('what another engine saved is not gone on from', async () => {
  await broker.append([sale(1), sale(2)]);
  const embedded = metricsStage({
    broker,
    clock: systemClock,
    log: silentLog,
    dir,
    checkpointIntervalMs: 20,
  });
  await runUntil(() => entered() === 2, embedded);
  const bySpark = await runUntil(() => query.starts.length > 0 && entered() === 2);
  assert.equal(bySpark.processed, 2);
  const again = await runUntil(() => false, embedded);
  assert.equal(again.processed, 4, 'its own two runs');
});

test('a second one takes over, and the first one stops, at the latest when its query would start again', async () => {
  const other = mkdtempSync(join(tmpdir(), 'instashop-spark-metrics-'));
  const stop = new AbortController();
  const first = stageOf().run(stop.signal);
  first.catch(() => {});
  await systemClock.sleep(50);
  const second = stageOf({ dir: other, query: new ModelQuery(broker) }).run(stop.signal);
  await systemClock.sleep(50);
  // Its query fails, as it does when another one is started on the same checkpoint.
  broker.before = (_call, records) => {
    if (records[0]?.key?.startsWith(query.starts[0]!)) throw new Error('stopped');
  };
  await broker.append([sale(1)]);
  await assert.rejects(first, (error) => error instanceof UserError && /took over/.test(error.message));
  await systemClock.sleep(100);
  stop.abort();
  await second;
  assert.equal(counted(), 1);
  rmSync(other, { recursive: true });
});
