import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { type MetricValue, metricKey } from '../../contracts/metric-value.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import { MetricsStoreEmptiedError } from '../../stores/metrics-store/metrics-store.ts';
import { publisher } from './publisher.ts';

const NOW = systemClock.now();

const valueRecord = (count: number, change: Partial<MetricValue> = {}, timestamp = NOW): OutgoingRecord => {
  const value: MetricValue = {
    metric: 'behavior',
    group: { interaction_type: 'website_visit' },
    labels: {},
    window_start: 0,
    window_end: 30_000,
    values: { count },
    events: count,
    state: 'open',
    revision: 0,
    newest_event_time: 1,
    newest_committed_at: count,
    ...change,
  };
  const bytes = Buffer.from(JSON.stringify(value));
  return {
    topic: TOPICS.metrics.name,
    partition: 0,
    key: metricKey(value),
    value: bytes,
    headers: {},
    timestamp,
  };
};

const healthRecord = (said: { stage: string; instance?: string; at: number }): OutgoingRecord => ({
  topic: TOPICS.stageHealth.name,
  partition: 0,
  key: healthKey(said),
  value: Buffer.from(JSON.stringify(said)),
  headers: {},
  timestamp: NOW,
});

const setUp = ({ filled = true } = {}) => {
  const broker = memoryBroker(Object.values(TOPICS));
  const writes: MetricValue[][] = [];
  const healths: StageHealth[] = [];
  const metricsStore = {
    filled,
    isFilled: async () => metricsStore.filled,
    markFilled: async () => {
      metricsStore.filled = true;
    },
    write: async (values: readonly MetricValue[]) => {
      if (!metricsStore.filled) throw new MetricsStoreEmptiedError();
      return writes.push([...values]);
    },
    writeHealth: async (health: readonly StageHealth[]) => {
      if (!metricsStore.filled) throw new MetricsStoreEmptiedError();
      healths.push(...health);
    },
    /** Loses all, as a server does that was flushed or started anew. */
    empty: () => {
      metricsStore.filled = false;
      writes.length = 0;
      healths.length = 0;
    },
  };
  const runOnce = async () => {
    const stage = publisher({ broker, metricsStore, clock: systemClock, log: silentLog });
    const stop = new AbortController();
    const run = stage.run(stop.signal);
    while (stage.health().lag !== 0 && stage.health().state === 'running') {
      if (
        await Promise.race([
          run.then(
            () => true,
            () => true,
          ),
          systemClock.sleep(2).then(() => false),
        ])
      )
        break;
    }
    stop.abort();
    await run;
    return stage.health();
  };
  return { broker, writes, healths, metricsStore, runOnce };
};

test('the newest version of each key is written, as it stands in the log: never an increment', async () => {
  const { broker, writes, runOnce } = setUp();
  const other = { group: { interaction_type: 'product_inquiry' } };
  const closed = valueRecord(2, { state: 'closed' });
  await broker.append([valueRecord(1), closed, valueRecord(2), valueRecord(7, other)]);
  const health = await runOnce();
  assert.deepEqual(
    writes.map((batch) => batch.map(({ events, state, values }) => [events, state, values])),
    [
      [
        [2, 'closed', { count: 2 }],
        [7, 'open', { count: 7 }],
      ],
    ],
  );
  assert.deepEqual([health.processed, health.lag, health.newest_at], [4, 0, 7]);
});

test('health goes to the store; what is not JSON is put aside and holds nothing up', async () => {
  const { broker, writes, healths, runOnce } = setUp();
  const health = { stage: 'loader', at: 1 };
  const record = (topic: string, key: string, text: string): OutgoingRecord => ({
    topic,
    partition: 0,
    key,
    value: Buffer.from(text),
    headers: {},
    timestamp: NOW,
  });
  await broker.append([
    record(TOPICS.metrics.name, 'x', 'null'),
    record(TOPICS.metrics.name, 'x', '{'),
    valueRecord(1),
    record(TOPICS.stageHealth.name, 'loader', JSON.stringify(health)),
    record(TOPICS.stageHealth.name, 'loader', JSON.stringify({ ...health, at: 2 })),
  ]);
  await runOnce();
  assert.equal(writes.flat().length, 1);
  assert.deepEqual(healths, [{ stage: 'loader', at: 2 }]);
  assert.equal(broker.records(TOPICS.deadLetters.name).length, 2);
});

const events = (writes: readonly (readonly MetricValue[])[]) => writes.flat().map((value) => value.events);

test('a store that is filled goes on from the offsets, but nothing older than it keeps is written', async () => {
  const { broker, writes, runOnce } = setUp();
  await broker.append([valueRecord(1)]);
  await runOnce();
  await broker.append([valueRecord(2)]);
  await runOnce();
  assert.deepEqual(events(writes), [1, 2]);

  const late = setUp();
  await late.broker.append([valueRecord(1, { window_start: 1 }, NOW - 3_700_000), valueRecord(2)]);
  await late.runOnce();
  assert.deepEqual(events(late.writes), [2]);
});

test('a store that is not filled gets the last hour, whatever was read before', async () => {
  const { broker, writes, healths, metricsStore, runOnce } = setUp({ filled: false });
  const old = valueRecord(1, { window_start: 1 }, NOW - 3_700_000);
  await broker.append([old, valueRecord(2), valueRecord(1, { group: { interaction_type: 'other' } })]);
  await broker.append([healthRecord({ stage: 'loader', instance: 'a', at: 1 })]);
  await runOnce();
  assert.deepEqual([events(writes), healths.length], [[2, 1], 1], 'what has expired is left');
  metricsStore.empty();
  await runOnce();
  assert.deepEqual([events(writes), healths.length], [[2, 1], 1]);
  await broker.append([valueRecord(3)]);
  await runOnce();
  assert.deepEqual(events(writes), [2, 1, 3], 'filled: goes on');
});

test('a store emptied while it runs ends the run with a passing fault, and is filled by the next', async () => {
  const { broker, writes, healths, metricsStore } = setUp();
  const stage = publisher({ broker, metricsStore, clock: systemClock, log: silentLog });
  const stop = new AbortController();
  await broker.append([valueRecord(1), healthRecord({ stage: 'loader', at: 1 })]);
  const first = stage.run(stop.signal);
  while (healths.length === 0) await systemClock.sleep(2);
  metricsStore.empty();
  await broker.append([healthRecord({ stage: 'loader', at: 2 })]);
  const fault = await first.then(
    () => null,
    (error: unknown) => error,
  );
  assert.ok(fault instanceof MetricsStoreEmptiedError && isRetryable(fault));
  const second = stage.run(stop.signal);
  while (healths.length === 0 || writes.length === 0) await systemClock.sleep(2);
  stop.abort();
  await second;
  assert.deepEqual([events(writes), healths.at(-1)?.at], [[1], 2]);
});

test('a publisher killed at any moment of the filling leaves no gap', async () => {
  const partitions = Array.from({ length: 6 }, (_, partition) => partition);
  const records = partitions.flatMap((partition) =>
    [1, 2].map((window_start) => ({
      ...valueRecord(1, { window_start: window_start + 2 * partition }),
      partition,
    })),
  );
  for (let step = 1; ; step++) {
    const { broker, writes, metricsStore, runOnce } = setUp();
    await broker.append(records);
    await runOnce();
    assert.equal(writes.flat().length, 12);
    metricsStore.empty();
    let calls = 0;
    // From that call on it is dead: nothing it does takes effect.
    const dies = () => {
      if (++calls >= step) throw new Error('killed');
    };
    const { commit } = broker;
    const { markFilled, write } = metricsStore;
    broker.before = (call) => call === 'commit' && dies();
    metricsStore.markFilled = async () => {
      dies();
      await markFilled();
    };
    metricsStore.write = async (values) => {
      dies();
      return write(values);
    };
    const killed = await runOnce().then(
      () => false,
      () => true,
    );
    broker.before = () => {};
    Object.assign(broker, { commit });
    Object.assign(metricsStore, { markFilled, write });
    if (killed) await runOnce();
    const found = new Set(writes.flat().map(({ window_start }) => window_start));
    assert.equal(found.size, 12, `killed at step ${step}`);
    if (!killed) break;
    assert.ok(step < 20);
  }
});

test('offsets are committed after the write: a write that fails comes again', async () => {
  const { broker, writes, metricsStore, runOnce } = setUp();
  await broker.append([valueRecord(1)]);
  const { write } = metricsStore;
  metricsStore.write = async () => {
    throw new Error('connection lost');
  };
  await assert.rejects(runOnce(), /connection lost/);
  assert.deepEqual(await broker.committed('publisher'), new Map());
  metricsStore.write = write;
  await runOnce();
  assert.equal(writes.flat().length, 1);
});
