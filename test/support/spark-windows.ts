// Runs the plan of the metrics over records in a real Kafka, and keeps what a reader of topic `spark_windows` would.
import { groupKey } from '../../src/contracts/metric-value.ts';
import type { MetricDefinition } from '../../src/contracts/metrics.ts';
import { EVENT_TOPICS, SPARK_WINDOWS_TOPIC } from '../../src/contracts/topics.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { accountingOf } from '../../src/stages/metrics/accounting.ts';
import { compile } from '../../src/stages/metrics/compile.ts';
import type { Accounting } from '../../src/stages/metrics/engine.ts';
import { fieldOf } from '../../src/stages/metrics/fields.ts';
import type { Ledger } from '../../src/stages/metrics/ledgers.ts';
import { SparkSession } from '../../src/stages/metrics/spark/connect/connect.ts';
import { PLAN_SETTINGS, sparkPlan } from '../../src/stages/metrics/spark/plan.ts';
import { BOOKKEEPING, parseSparkRow, type SparkRow } from '../../src/stages/metrics/spark/row.ts';
import type { Broker, OutgoingRecord } from '../../src/stores/broker/broker.ts';
import { readTopic } from '../../src/stores/broker/read-topic.ts';
import { withoutZeros } from './golden/naive.ts';
import type { TestKafka } from './kafka.ts';
import type { TestSpark } from './spark.ts';

export interface Counting {
  readonly broker: Broker;
  readonly kafka: TestKafka;
  readonly spark: TestSpark;
  readonly definitions: readonly MetricDefinition[];
  readonly generation: string;
  readonly shufflePartitions: number;
}

const WAIT_MS_MAX = 300_000;

/**
 * Counts the records, from a start of its own, step by step: Spark has finished one step, and moved its watermark,
 * before the next is written. Resolves with the newest row per key.
 */
export async function countWithSpark(
  { broker, kafka, spark, definitions, generation, shufflePartitions }: Counting,
  steps: readonly (readonly OutgoingRecord[])[],
): Promise<ReadonlyMap<string, SparkRow>> {
  const reach = {
    'kafka.bootstrap.servers': kafka.brokers.join(','),
    'kafka.security.protocol': 'SASL_PLAINTEXT',
    'kafka.sasl.mechanism': 'SCRAM-SHA-256',
  };
  const { url, token, checkpointDir } = spark;
  const session = await SparkSession.connect({
    url,
    token,
    userId: 'test',
    sessionId: crypto.randomUUID(),
    clock: systemClock,
  });
  try {
    await session.setConfig({
      ...PLAN_SETTINGS,
      'spark.sql.shuffle.partitions': String(shufflePartitions),
      // The watermark is where a step has moved it when the next one comes.
      'spark.sql.streaming.noDataMicroBatches.enabled': 'true',
    });
    const plan = sparkPlan({
      definitions,
      generation,
      kafka: { ...reach, startingOffsets: await endsOf(broker) },
    });
    const query = await session.start(plan, {
      name: generation,
      format: 'kafka',
      outputMode: 'update',
      trigger: { everyMs: 0 },
      checkpoint: `${checkpointDir}/${generation}`,
      options: { ...reach, topic: SPARK_WINDOWS_TOPIC.name },
    });
    for (const step of steps) {
      await broker.append(step);
      await query.processAllAvailable({ deadlineMs: WAIT_MS_MAX });
    }
  } finally {
    await session.release();
    await session.close();
  }
  return newestRows(broker, generation);
}

/** Where the event topics end now, as Spark is told. */
async function endsOf(broker: Broker): Promise<string> {
  const ends = await Promise.all(
    EVENT_TOPICS.map(async ({ name }) => {
      const partitions = await broker.partitions(name);
      return [name, Object.fromEntries(partitions.map(({ partition, end }) => [partition, end]))];
    }),
  );
  return JSON.stringify(Object.fromEntries(ends));
}

async function newestRows(broker: Broker, generation: string): Promise<ReadonlyMap<string, SparkRow>> {
  const rows = new Map<string, SparkRow>();
  await readTopic(broker, SPARK_WINDOWS_TOPIC.name, async ({ key, value }) => {
    const row = parseSparkRow(value);
    const before = rows.get(key!);
    if (row.generation === generation && row.events >= (before?.events ?? 0)) rows.set(key!, row);
  });
  return rows;
}

/** The windows in the shape of the golden sets' expected files. */
export function windowsOf(
  rows: Iterable<SparkRow>,
  definitions: readonly MetricDefinition[],
): Readonly<Record<string, unknown>> {
  const windows = [...rows].flatMap((row): [string, unknown][] => {
    const definition = definitions.find(({ name }) => name === row.definition);
    if (definition === undefined) return [];
    const group = definition.groupBy.map((field, i) => {
      const text = row.key[i]!;
      return fieldOf(definition.topics[0]!, field).kind === 'integer' && text !== null ? Number(text) : text;
    });
    const key = groupKey(group as unknown as Record<string, string>);
    return [
      [
        `${definition.name}|${key}|${row.windowEnd - definition.windowMs}`,
        {
          labels: Object.fromEntries((definition.labels ?? []).map((label, i) => [label, row.labels[i]])),
          values: withoutZeros(valuesOf(row, definition)),
          events: row.events,
          newest_event_time: row.newestEventTime,
          newest_committed_at: row.newestCommittedAt,
        },
      ],
    ];
  });
  return Object.fromEntries(windows.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function valuesOf(
  row: SparkRow,
  { aggregates, derived = {} }: MetricDefinition,
): Readonly<Record<string, number | null>> {
  const values: Record<string, number | null> = Object.fromEntries(
    Object.keys(aggregates).map((name, i) => [name, row.values[i]!]),
  );
  for (const [name, { fn, of }] of Object.entries(derived)) {
    const [a, b] = [values[of[0]] as number, values[of[1]] as number];
    values[name] = fn === 'difference' ? a - b : b === 0 ? null : a / b;
  }
  return values;
}

/** How many records of a class were read. */
export const classTotal = (rows: Iterable<SparkRow>, name: string): number =>
  [...rows].reduce(
    (sum, row) => (row.definition === BOOKKEEPING.source && row.key[3] === name ? sum + row.events : sum),
    0,
  );

/** How many events stand in windows. */
export const eventsTotal = (rows: Iterable<SparkRow>): number =>
  [...rows].reduce((sum, row) => (row.definition === BOOKKEEPING.events ? sum + row.events : sum), 0);

/** What the definitions took (as `windows`) and what was quarantined, from the `_ledger` rows. */
export function ledgersOf(
  rows: Iterable<SparkRow>,
  definitions: readonly MetricDefinition[],
): Pick<Accounting, 'windows' | 'quarantined'> {
  const ledgers = [...rows].flatMap((row): Ledger[] => {
    if (!row.definition.startsWith(BOOKKEEPING.ledger)) return [];
    const [fate, day, group] = row.key as [string, string, string];
    const kind = fate === 'taken' ? 'settled' : 'quarantined';
    const sign = fate === 'unquarantined' ? -1 : 1;
    const sums = row.values.map((value) => sign * (value ?? 0));
    return [{ kind, definition: row.definition.slice(BOOKKEEPING.ledger.length), day, group, sums }];
  });
  return accountingOf({
    definitions: compile(definitions).definitions,
    offsets: new Map(),
    cells: [],
    ledgers,
    tallies: [],
  });
}
