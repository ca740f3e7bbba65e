// What becomes of a record, in Spark: the rules of embedded/intake.ts and embedded/window-engine.ts as columns.
import {
  FUTURE_LIMIT_MS,
  type MetricDefinition,
  REPAIR_HORIZON_MS,
  WATERMARK_DELAY_MS,
} from '../../../contracts/metrics.ts';
import { HEADERS } from '../../../contracts/topics.ts';
import type { Program } from '../compile.ts';
import { STAGE_NAME } from '../engine.ts';
import { byTopic, conditionsSql, eventField, quoted } from './sql-text.ts';
import { parseSql, problemSql, REASON_SQL } from './validity-sql.ts';

/**
 * When the micro-batch started, epoch ms: the same for all its rows, and when it is run again. In a lambda, which Spark
 * does not generate code for: in generated code it would be a constant that differs from batch to batch, and each batch
 * would begin by compiling all of it anew.
 */
export const NOW = 'transform(array(current_timestamp()), now -> unix_millis(now))[0]';

/**
 * For how long after its record's time a `_refused` row is kept, and so surely written. Clocks and partitions that are
 * further apart than that would lose one.
 */
const REFUSED_KEPT_MS = 86_400_000;

const header = (name: string): string =>
  `try_element_at(filter(headers, h -> h.key = ${quoted(name)}), -1).value`;

/** Records of the Kafka source (relation `kafka`) with what their headers say. */
export const recordsSql = (): string => `SELECT topic, partition, offset, unix_millis(timestamp) AS arrived,
  CAST(value AS STRING) AS text,
  coalesce(CAST(${header(HEADERS.snapshot)} AS STRING) = '1', false) AS snapshot,
  CAST(${header(HEADERS.replayFor)} AS STRING) AS replay_for
  FROM kafka`;

/** Records with the parsed event (`parsed`) and its `problem`. */
export const judgedSql = (program: Program): string =>
  `SELECT *, ${problemSql(program)} AS problem FROM (SELECT *, ${parseSql(program)} AS parsed FROM records)`;

/** When some definition takes the event, its values read. */
export const takenSql = (definitions: readonly MetricDefinition[], { topics }: Program): string => {
  const conditions = [...topics.values()].map(({ topic, fields }): [string, string] => {
    const fieldOf = (name: string) => fields.find((field) => field.name === name)!;
    const taking = definitions.filter((definition) => definition.topics.includes(topic));
    const wheres = new Set(taking.map(({ where }) => conditionsSql(where, fieldOf)));
    return [topic, `(${[...wheres].join(' OR ')})`];
  });
  return `coalesce(${byTopic(new Map(conditions), 'false')}, false)`;
};

/**
 * From relation `judged`, the event's fate:
 * * `class`, as contracted for `_source`; `back`, the class that is taken back, or null;
 * * `readable`, whether it is an event; of those `time`, `captured`, `committed` (epoch ms), `ahead` (ms), `day` (UTC);
 * * `takes`, whether some definition takes it; `counts`, whether windows do: neither quarantined nor history;
 * * `window_end` (epoch ms), `refused_until` (epoch ms), `reason` and `message` of what becomes a dead letter;
 * * `moves_ms`: its time if it may move the watermark, else null.
 */
export function fatesSql(program: Program, definitions: readonly MetricDefinition[]): string {
  const { windowMs } = program;
  const endOf = (time: string) => `${time} - pmod(${time}, ${windowMs}) + ${windowMs}`;
  const times = `SELECT *, problem IS NULL AND (replay_for IS NULL OR ours) AS readable FROM
    (SELECT *, coalesce(replay_for = ${quoted(STAGE_NAME)}, false) AS ours FROM judged)`;
  const read = (field: string) => `CASE WHEN readable THEN CAST(${eventField(field)} AS BIGINT) END`;
  const values = `SELECT *, ${read('event_time')} AS time, ${read('captured_at')} AS captured,
    ${read('committed_at')} AS committed, readable AND ${takenSql(definitions, program)} AS takes FROM (${times})`;
  const ahead = `SELECT *, time - captured AS ahead, ${endOf('time')} AS window_end,
    CAST(CAST(timestamp_millis(time) AS DATE) AS STRING) AS day,
    coalesce(time - captured > ${FUTURE_LIMIT_MS} AND NOT (ours AND time <= ${NOW} + ${FUTURE_LIMIT_MS}), false)
      AS quarantined FROM (${values})`;
  const again = (name: string) => `CASE WHEN ours THEN '${name}_again' ELSE '${name}' END`;
  const arrived = `greatest(arrived, ${NOW}, captured)`;
  return `SELECT *,
    CASE WHEN replay_for IS NOT NULL AND NOT ours THEN 'ignored'
      WHEN problem IS NOT NULL THEN ${again('refused')}
      WHEN quarantined THEN ${again('quarantined')}
      WHEN NOT takes THEN 'ignored'
      WHEN snapshot THEN 'taken_snapshot' ELSE 'taken' END AS class,
    CASE WHEN ours AND readable AND NOT quarantined
      THEN CASE WHEN ahead > ${FUTURE_LIMIT_MS} THEN 'unquarantined' ELSE 'unrefused' END END AS back,
    takes AND NOT quarantined AND NOT (snapshot
      AND window_end <= ${NOW} - ${WATERMARK_DELAY_MS + REPAIR_HORIZON_MS}) AS counts,
    CASE WHEN readable AND NOT quarantined AND NOT snapshot THEN time END AS moves_ms,
    ${endOf(arrived)} + ${REFUSED_KEPT_MS} AS refused_until,
    CASE WHEN problem IS NULL THEN 'future_event_time' ELSE ${REASON_SQL} END AS reason,
    coalesce(problem, concat('event_time is ', ahead, ' ms ahead of captured_at')) AS message
    FROM (${ahead})`;
}
