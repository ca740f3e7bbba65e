import { type MetricValue, metricVersion } from '../../contracts/metric-value.ts';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import { TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { healthOf, type Stage, stageCounts } from '../../lib/stage.ts';
import {
  type Broker,
  type BrokerRecord,
  type OutgoingRecord,
  type ReadBatch,
  type TopicPartition,
  topicPartition,
} from '../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../stores/broker/dead-letters.ts';
import type { MetricsStore } from '../../stores/metrics-store/metrics-store.ts';

const NAME = 'publisher';
const SOURCES = [TOPICS.metrics, TOPICS.stageHealth];
const RECORDS_MAX = 1_000;
const BYTES_MAX = 2 << 20;
/** Offsets are committed at most this often: reading a value twice changes nothing. */
const ACK_INTERVAL_MS = 500;

type Offsets = ReadonlyMap<TopicPartition, number>;

export interface PublisherOptions {
  readonly broker: Pick<Broker, 'read' | 'append' | 'partitions' | 'offsetAt' | 'committed' | 'commit'>;
  readonly metricsStore: Pick<MetricsStore, 'write' | 'writeHealth' | 'isFilled' | 'markFilled'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Topics metrics and stage_health → metrics store. The store's version guard makes repeats and old values harmless;
 * within a batch only the newest version of a key is written. A store that lost something is filled from the log's last
 * hour (its TTL): `run` rejects with MetricsStoreEmptiedError when it is seen, and fills when it is called again.
 */
export function publisher({ broker, metricsStore, clock, log }: PublisherOptions): Stage {
  const counts = stageCounts();
  const waiting = new Map<TopicPartition, number>();

  const write = async (batch: ReadBatch) => {
    const { values, health, refused } = newestOf(batch.records);
    if (refused.length > 0) await broker.append(refused);
    if (values.length > 0) await metricsStore.write(values);
    if (health.length > 0) await metricsStore.writeHealth(health);
    for (const [partition, lag] of batch.lag) waiting.set(partition, lag);
    counts.lag = [...waiting.values()].reduce((sum, lag) => sum + lag, 0);
    counts.processed += batch.records.length;
    counts.deadLetters += refused.length;
    for (const { newest_committed_at } of values) {
      counts.newestAt = Math.max(counts.newestAt ?? newest_committed_at, newest_committed_at);
    }
  };

  const run = async (signal: AbortSignal) => {
    const from = await startOffsets(broker, metricsStore, clock, log);
    const options = { topics: SOURCES.map((topic) => topic.name), group: NAME, from, signal };
    const bounds = { recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX };
    let unacknowledged: ReadBatch | null = null;
    let acknowledgedAt = clock.now();
    for await (const batch of broker.read({ ...options, ...bounds })) {
      await write(batch);
      unacknowledged = batch;
      if (clock.now() - acknowledgedAt < ACK_INTERVAL_MS) continue;
      await batch.ack();
      unacknowledged = null;
      acknowledgedAt = clock.now();
    }
    await unacknowledged?.ack();
  };

  return { name: NAME, run, health: () => healthOf(NAME, clock, counts) };
}

/**
 * Where to go on: from the group's offsets, but nothing that the store would not keep. For a store that is not filled
 * the group begins again with the last hour, and the store is marked only then: wherever this is killed, a marked store
 * goes on from offsets after which stands all it lacks.
 */
async function startOffsets(
  broker: PublisherOptions['broker'],
  metricsStore: PublisherOptions['metricsStore'],
  clock: Clock,
  log: Log,
): Promise<Offsets> {
  const hour = await lastHour(broker, clock);
  if (await metricsStore.isFilled()) {
    const committed = await broker.committed(NAME);
    return new Map([...hour].map(([name, first]) => [name, Math.max(first, committed.get(name) ?? first)]));
  }
  log.info('the metrics store is not filled: filling it from the log');
  await broker.commit(NAME, hour);
  await metricsStore.markFilled();
  return hour;
}

/** First offsets of what the store would still keep. */
async function lastHour(broker: PublisherOptions['broker'], clock: Clock): Promise<Offsets> {
  const partitions = (await Promise.all(SOURCES.map((topic) => broker.partitions(topic.name)))).flat();
  const since = clock.now() - METRICS_TTL_MS;
  return new Map(
    await Promise.all(
      partitions.map(
        async ({ topic, partition }) =>
          [topicPartition(topic, partition), await broker.offsetAt(topic, partition, since)] as const,
      ),
    ),
  );
}

interface Newest {
  readonly values: readonly MetricValue[];
  readonly health: readonly StageHealth[];
  readonly refused: readonly OutgoingRecord[];
}

/** The newest version of every value and health; records that are not JSON objects are put aside. */
function newestOf(records: readonly BrokerRecord[]): Newest {
  const values = new Map<string, MetricValue>();
  const health = new Map<string, StageHealth>();
  const refused: OutgoingRecord[] = [];
  for (const record of records) {
    const parsed = parse(record.value);
    const key = record.key ?? '';
    if (parsed === null) {
      refused.push(deadLetterRecord(record, NAME, 'invalid_json', 'the value is not a JSON object'));
    } else if (record.topic === TOPICS.stageHealth.name) {
      const said = parsed as StageHealth;
      health.set(healthKey(said), said);
    } else {
      const value = parsed as MetricValue;
      const before = values.get(key);
      if (before === undefined || metricVersion(value) > metricVersion(before)) values.set(key, value);
    }
  }
  return { values: [...values.values()], health: [...health.values()], refused };
}

function parse(bytes: Uint8Array): object | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString());
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}
