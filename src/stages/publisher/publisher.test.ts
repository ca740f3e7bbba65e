import assert from 'node:assert/strict';
import test from 'node:test';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { type MetricValue, metricKey } from '../../contracts/metric-value.ts';
import type { StageHealth } from '../../contracts/stage-health.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
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

const setUp = (keys: readonly string[] = []) => {
  const broker = memoryBroker(Object.values(TOPICS));
  const writes: MetricValue[][] = [];
  const healths: StageHealth[] = [];
  const metricsStore = {
    keys: async () => keys,
    write: async (values: readonly MetricValue[]) => writes.push([...values]),
    writeHealth: async (health: readonly StageHealth[]) => {
      healths.push(...health);
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

test('a store with values goes on from the offsets; an empty one is filled from the last hour', async () => {
  const full = setUp(['metrics:transactions']);
  await full.broker.append([valueRecord(1)]);
  await full.runOnce();
  await full.broker.append([valueRecord(2)]);
  await full.runOnce();
  assert.deepEqual(
    full.writes.flat().map(({ events }) => events),
    [1, 2],
  );

  const empty = setUp();
  await empty.broker.append([valueRecord(1, { window_start: 1 }, NOW - 3_700_000), valueRecord(2)]);
  await empty.runOnce();
  assert.deepEqual(
    empty.writes.flat().map(({ events }) => events),
    [2],
    'what has expired is left',
  );
  await empty.broker.append([valueRecord(3)]);
  await empty.runOnce();
  assert.deepEqual(
    empty.writes.flat().map(({ events }) => events),
    [2, 3],
    'still empty: read again',
  );
});

test('offsets are committed after the write: a write that fails comes again', async () => {
  const { broker, writes, metricsStore, runOnce } = setUp(['metrics:transactions']);
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
