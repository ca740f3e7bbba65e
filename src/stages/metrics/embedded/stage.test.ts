import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { afterEach, beforeEach } from 'node:test';
import { type MemoryBroker, memoryBroker } from '../../../../test/support/memory-broker.ts';
import { METRICS } from '../../../contracts/metrics.ts';
import { TOPICS } from '../../../contracts/topics.ts';
import { systemClock } from '../../../lib/clock.ts';
import { UserError } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { readAccounting } from '../sqlite-checkpoint.ts';
import { countedIn, NOW, runStage, sale, writtenTo } from '../testing/stage-runs.ts';
import { metricsStage } from './stage.ts';

let dir = '';
let broker: MemoryBroker;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-metrics-'));
  broker = memoryBroker(Object.values(TOPICS));
});
afterEach(() => rmSync(dir, { recursive: true }));

const stageOf = (options: Partial<Parameters<typeof metricsStage>[0]> = {}) =>
  metricsStage({ broker, clock: systemClock, log: silentLog, dir, checkpointIntervalMs: 50, ...options });

const runUntil = (done: () => boolean, stage = stageOf()) => runStage(stage, done, 1_000);
const written = () => writtenTo(broker);
const counted = () => countedIn(broker);

test('events become values, and a stopped stage goes on where it was', async () => {
  await broker.append([sale(1), sale(2)]);
  const first = await runUntil(() => counted() === 2);
  assert.deepEqual([first.processed, first.lag, first.newest_at], [2, 0, NOW]);
  await broker.append([sale(3)]);
  const second = await runUntil(() => counted() === 3);
  assert.equal(second.processed, 1, 'nothing is read twice');
  assert.equal(counted(), 3);
  const accounting = readAccounting(dir)!;
  assert.equal(accounting.windows.sales[0]!.entered, 3);
  assert.equal(accounting.offsets.get('transactions/3'), 1);
  const committed = await broker.committed('metrics');
  assert.equal(committed.get('transactions/3'), 1);
});

test('a window that changes often is written once an interval', async () => {
  const stage = stageOf({ emitIntervalMs: 100 });
  const feeding = (async () => {
    for (let id = 0; id < 60; id++) {
      await broker.append([sale(id)]);
      await systemClock.sleep(2);
    }
  })();
  await runUntil(() => counted() === 60, stage);
  await feeding;
  const versions = written().filter(({ metric }) => metric === 'transactions').length;
  assert.ok(versions <= 10, `${versions} versions`);
  assert.equal(counted(), 60);
});

test('values that could not be written are written after the next start: the checkpoint comes after them', async () => {
  let failures = 0;
  broker.before = (call, records) => {
    if (call !== 'append' || records[0]!.topic !== TOPICS.metrics.name) return;
    if (++failures <= 3) throw Object.assign(new Error('disk full'), { retryable: true });
  };
  await broker.append([sale(1), sale(2)]);
  for (let attempt = 0; attempt < 3; attempt++) {
    await assert.rejects(
      runUntil(() => false),
      /disk full/,
    );
    assert.equal(readAccounting(dir), null);
  }
  await runUntil(() => counted() === 2);
  assert.equal(counted(), 2);
});

test('a checkpoint that is due waits for the values that are not', async () => {
  await broker.append([sale(1)]);
  broker.before = (_call, records) => {
    if (records[0]?.topic === TOPICS.transactions.name) return;
    if (counted() === 1 && records.length > 0) throw new Error('disk full');
  };
  const stage = stageOf({ emitIntervalMs: 60_000 });
  const more = systemClock.sleep(30).then(() => broker.append([sale(2)]));
  await assert.rejects(
    runUntil(() => false, stage),
    /disk full/,
  );
  await more;
  broker.before = () => {};
  await runUntil(() => counted() === 2);
  assert.equal(counted(), 2);
});

test('dead letters are durable before the checkpoint moves past them, and are not counted twice', async () => {
  let failures = 0;
  broker.before = (_call, records) => {
    if (records[0]?.topic === TOPICS.deadLetters.name && ++failures === 1) throw new Error('lost connection');
  };
  const poison = { ...sale(6), value: Buffer.from('{"poison') };
  await broker.append([poison, sale(1), sale(2, { event_time: NOW + 3_600_000 })]);
  await assert.rejects(
    runUntil(() => false),
    /lost connection/,
  );
  assert.equal(readAccounting(dir), null);
  const health = await runUntil(() => counted() === 1);
  assert.equal(health.dead_letters, 2);
  assert.deepEqual([health.figures['refused'], health.figures['quarantined']], [1, 1]);
  const letters = broker.records(TOPICS.deadLetters.name);
  assert.deepEqual(
    letters.map(({ partition, key, headers }) => [
      partition,
      key,
      headers['__connect.errors.exception.class.name'],
    ]),
    [
      [0, '6', 'invalid_json'],
      [2, '2', 'future_event_time'],
    ],
  );
  assert.deepEqual(letters[0]!.value, poison.value);
  await runUntil(() => true);
  assert.equal(readAccounting(dir)!.events.find(({ fate }) => fate === 'refused')!.count, 1);
});

test('other definitions: windows are computed anew from the start of the log', async () => {
  await broker.append([sale(1), sale(2)]);
  await runUntil(() => counted() === 2);
  const before = written().length;
  const definitions = METRICS.filter(({ name }) => name === 'transactions');
  const health = await runUntil(() => written().length > before, stageOf({ definitions }));
  assert.equal(health.processed, 2);
  assert.equal(readAccounting(dir, definitions)!.windows.sales[0]!.entered, 2);
});

test('a topic made anew stops the stage with a remedy', async () => {
  await broker.append([sale(1)]);
  await runUntil(() => counted() === 1);
  const remade = {
    ...broker,
    partitions: async (topic: string) =>
      (await broker.partitions(topic)).map((state) => ({ ...state, topicId: 'another' })),
  };
  await assert.rejects(
    runUntil(() => false, stageOf({ broker: remade })),
    /topic transactions was made anew/,
  );
});

test('a second one takes over, and the first one stops with a word about it', async () => {
  await broker.append([sale(1)]);
  const other = mkdtempSync(join(tmpdir(), 'instashop-metrics-'));
  const stop = new AbortController();
  const first = stageOf().run(stop.signal);
  first.catch(() => {});
  await systemClock.sleep(50);
  const second = stageOf({ dir: other }).run(stop.signal);
  await systemClock.sleep(50);
  await broker.append([sale(2)]);
  await assert.rejects(first, (error) => error instanceof UserError && /took over/.test(error.message));
  await systemClock.sleep(100);
  stop.abort();
  await second;
  assert.equal(counted(), 2);
  rmSync(other, { recursive: true });
});
