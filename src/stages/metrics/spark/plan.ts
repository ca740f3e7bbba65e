// The whole of what Spark is asked: one streaming query from the event topics to topic `spark_windows`.
import { type MetricDefinition, REPAIR_HORIZON_MS, WATERMARK_DELAY_MS } from '../../../contracts/metrics.ts';
import { compile } from '../compile.ts';
import { aggregateSql } from './aggregate-sql.ts';
import {
  alias,
  coalesce,
  column,
  project,
  type Relation,
  readStream,
  sql,
  withWatermark,
} from './connect/relations.ts';
import { fatesSql, judgedSql, recordsSql } from './fate-sql.ts';

/** Part of the generation: raise it when the same definitions are counted otherwise, or their state looks otherwise. */
export const PLAN_VERSION = 1;

/** Settings of the session that the plan counts on; set them before the query is started. */
export const PLAN_SETTINGS: Readonly<Record<string, string>> = {
  // Days are UTC.
  'spark.sql.session.timeZone': 'UTC',
  // No value that a record may hold ends the query: what cannot be computed is null.
  'spark.sql.ansi.enabled': 'false',
  // JSON.parse takes the last of two fields with one name.
  'spark.sql.variant.allowDuplicateKeys': 'true',
  // Beyond so many groups a task that collects sets sorts instead of hashing; the default is 128, so every batch would.
  'spark.sql.objectHashAggregate.sortBased.fallbackThreshold': '200000',
  // The default manager starts a process (readlink) for each file that it renames: 150 ms a batch.
  'spark.sql.streaming.checkpointFileManagerClass':
    'org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager',
  // No batch of its own to drop what expired: the next one does.
  'spark.sql.streaming.noDataMicroBatches.enabled': 'false',
};

/**
 * How Spark's consumers fetch. For each fetch Spark asks for a partition's bounds, over the connection where the next
 * fetch is already waiting for data (500 ms by default) that will not come: so none waits, and each brings much.
 */
const FETCHING: Readonly<Record<string, string>> = {
  'kafka.fetch.max.wait.ms': '1',
  'kafka.max.poll.records': '100000',
  'kafka.max.partition.fetch.bytes': '8388608',
};

/** Event times of Spark's watermark are held back by this: state is dropped when nothing may revise it any more. */
const DELAY_MS = WATERMARK_DELAY_MS + REPAIR_HORIZON_MS;

export interface SparkPlanOptions {
  readonly definitions: readonly MetricDefinition[];
  /** Stands in every row; letters, digits and `-`. */
  readonly generation: string;
  /** How Spark reads Kafka: `kafka.bootstrap.servers` and the like, where it starts, how much a batch may take. */
  readonly kafka: Readonly<Record<string, string>>;
  /** Tasks that read, each several partitions. Default 2. */
  readonly readers?: number;
}

/**
 * A streaming relation with columns `key` and `value`, rows of topic `spark_windows` (row.ts), for output mode
 * `update`. Throws an Error naming the definition, topic or field that makes no sense.
 */
export function sparkPlan({ definitions, generation, kafka, readers = 2 }: SparkPlanOptions): Relation {
  const program = compile(definitions);
  const source = readStream({
    format: 'kafka',
    options: {
      ...kafka,
      subscribe: [...program.topics.keys()].join(','),
      includeHeaders: 'true',
      // What a writer that was fenced had under way is no record.
      'kafka.isolation.level': 'read_committed',
      ...FETCHING,
    },
  });
  const records = sql(recordsSql(), { kafka: coalesce(source, readers) });
  const judged = sql(judgedSql(program), { records });
  const fates = sql(fatesSql(program, definitions), { judged });
  const { events, rows, columns, output } = aggregateSql(program, definitions, generation);
  const timed = withWatermark(sql(events, { fates }), 'moves', DELAY_MS);
  return sql(output, { rows: expiring(sql(rows, { events: timed }), columns) });
}

/**
 * Rows by whose `until` Spark drops state and refuses what is late, as `w`. Spark does so by the grouping column whose
 * metadata says that it is the watermark's, whatever column the watermark itself was made of.
 */
const expiring = (rows: Relation, columns: readonly string[]): Relation =>
  project(rows, [
    ...columns.map(column),
    alias(column('until'), 'w', { 'spark.watermarkDelayMs': DELAY_MS }),
  ]);
