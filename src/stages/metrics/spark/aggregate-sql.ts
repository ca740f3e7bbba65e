// From fates to rows: each event becomes one row for each thing that counts it, one aggregation adds them up, and what
// it has becomes the JSON of row.ts.
import type { Aggregate, MetricDefinition } from '../../../contracts/metrics.ts';
import type { Program } from '../compile.ts';
import type { Field } from '../fields.ts';
import { groupPlace } from '../ledgers.ts';
import { NOW } from './fate-sql.ts';
import { BOOKKEEPING } from './row.ts';
import { planSlots, type Slots, slotName } from './slots.ts';
import { byTopic, conditionsSql, eventField, quoted } from './sql-text.ts';
import { clippedSql } from './validity-sql.ts';

/** `w` of rows that never expire: the last instant that Spark can hold, which no window ends at. */
const NEVER = 'timestamp_micros(9223372036854775807)';

/** One thing that counts events. Its number stands for it in the state. */
interface Counter {
  readonly name: string;
  readonly topics: readonly string[];
  /** For which events, a BOOLEAN over the columns of fate-sql.ts. */
  when(topic: string): string;
  /** An ARRAY<STRING> over the same. */
  readonly key: string;
  readonly until: 'window_end' | 'refused_until' | 'never';
  /** Whose aggregates and labels it has; null: bookkeeping of its own. */
  readonly definition: MetricDefinition | null;
  /** Distincts and labels are kept only for those that show them. */
  readonly shown: boolean;
  /** Of bookkeeping: what `values` are, over the aggregation's columns. */
  readonly values: string;
}

interface Shape {
  readonly counters: readonly Counter[];
  readonly slots: Slots;
  readonly labels: number;
  fieldOf(topic: string, name: string): Field;
}

export interface AggregateSql {
  /** Over relation `fates`: what every counter of an event shares, and `counters`, the numbers of those. */
  readonly events: string;
  /** Over relation `events`: one row a counter, `i`, `k`, `until` (TIMESTAMP) and what is added up. */
  readonly rows: string;
  /** Columns of `rows` beside `until`. */
  readonly columns: readonly string[];
  /** Over relation `rows` with `until` as `w`: `key` and `value` of topic `spark_windows`. */
  readonly output: string;
}

export function aggregateSql(
  program: Program,
  definitions: readonly MetricDefinition[],
  generation: string,
): AggregateSql {
  const shape = shapeOf(program, definitions);
  const slots = [...shape.slots.columns.keys()];
  const labels = Array.from({ length: shape.labels }, (_, i) => `label_${i}`);
  return {
    events: eventsSql(shape),
    rows: rowsSql(shape),
    columns: ['i', 'k', 'offset', 'snapshots', 'time', 'committed', ...slots, ...labels],
    output: outputSql(shape, generation),
  };
}

function shapeOf(program: Program, definitions: readonly MetricDefinition[]): Shape {
  const fieldOf = (topic: string, name: string) =>
    program.topics.get(topic)!.fields.find((field) => field.name === name)!;
  const takes = ({ where }: MetricDefinition, topic: string) =>
    conditionsSql(where, (name) => fieldOf(topic, name));
  const metrics = definitions.map(
    (definition): Counter => ({
      name: definition.name,
      topics: definition.topics,
      when: (topic) => `counts AND ${takes(definition, topic)}`,
      key: `array(${definition.groupBy.map((name) => textOf(fieldOf(definition.topics[0]!, name))).join(', ')})`,
      until: 'window_end',
      definition,
      shown: true,
      values: '',
    }),
  );
  const ledgers = definitions
    .filter((definition) => groupPlace(definition) >= 0)
    .flatMap((definition) => ledgersOf(definition, takes, fieldOf));
  const all = [...program.topics.keys()];
  return {
    counters: [...metrics, ...ledgers, ...bookkeeping(all)],
    slots: planSlots(definitions),
    labels: Math.max(0, ...definitions.map(({ labels = [] }) => labels.length)),
    fieldOf,
  };
}

function ledgersOf(
  definition: MetricDefinition,
  takes: (definition: MetricDefinition, topic: string) => string,
  fieldOf: Shape['fieldOf'],
): readonly Counter[] {
  const { topics, groupBy } = definition;
  const group = textOf(fieldOf(topics[0]!, groupBy[groupPlace(definition)]!));
  const ledger = (fate: string, when: string): Counter => ({
    name: `${BOOKKEEPING.ledger}${definition.name}`,
    topics,
    when: (topic) => `${when} AND ${takes(definition, topic)}`,
    // As the embedded engine names the group of nothing.
    key: `array(${fate}, day, coalesce(${group}, 'null'))`,
    until: 'never',
    definition,
    shown: false,
    values: '',
  });
  return [
    ledger(
      `CASE WHEN quarantined THEN 'quarantined' ELSE 'taken' END`,
      `class IN ('taken', 'taken_snapshot', 'quarantined')`,
    ),
    ledger(quoted('unquarantined'), `back = 'unquarantined'`),
  ];
}

function bookkeeping(topics: readonly string[]): readonly Counter[] {
  const counter = (own: Pick<Counter, 'name' | 'key' | 'until' | 'values'> & { when: string }): Counter => ({
    ...own,
    when: () => own.when,
    topics,
    definition: null,
    shown: false,
  });
  const source = (when: string, kind: string) =>
    counter({
      name: BOOKKEEPING.source,
      when,
      key: `array(topic, CAST(partition AS STRING), coalesce(day, ''), ${kind})`,
      until: 'never',
      values: 'array(CAST(offset AS DOUBLE), CAST(t AS DOUBLE))',
    });
  return [
    counter({
      name: BOOKKEEPING.events,
      when: 'counts',
      key: 'array(topic)',
      until: 'window_end',
      values: 'array(snapshots)',
    }),
    source('true', 'class'),
    source('back IS NOT NULL', 'back'),
    counter({
      name: BOOKKEEPING.refused,
      when: `class IN ('refused', 'refused_again', 'quarantined', 'quarantined_again')`,
      key: 'array(topic, CAST(partition AS STRING), CAST(offset AS STRING), reason, message)',
      until: 'refused_until',
      values: 'CAST(array() AS ARRAY<DOUBLE>)',
    }),
  ];
}

/** A field's value as a text, cut as metrics cut it. */
function textOf({ name, kind }: Field): string {
  const value = eventField(name);
  if (kind === 'integer') return `CAST(CAST(${value} AS BIGINT) AS STRING)`;
  return kind === 'string' ? clippedSql(value) : `CAST(${value} AS STRING)`;
}

function eventsSql(shape: Shape): string {
  const slots = [...shape.slots.columns].map(([name, aggregates]) => {
    const operands = [...aggregates].map(([topic, aggregate]): [string, string] => [
      topic,
      operandSql(aggregate, (field) => shape.fieldOf(topic, field)),
    ]);
    return `${byTopic(new Map(operands), name.startsWith('sum') ? '0D' : 'null')} AS ${name}`;
  });
  const topics = new Set(shape.counters.flatMap((counter) => counter.topics));
  const numbers = [...topics].map((topic): [string, string] => {
    const whens = shape.counters.flatMap(({ topics: own, when }, i) =>
      own.includes(topic) ? [`CASE WHEN ${when(topic)} THEN ${i} END`] : [],
    );
    return [topic, `array(${whens.join(', ')})`];
  });
  return `SELECT topic, partition, offset, CASE WHEN snapshot THEN 1D ELSE 0D END AS snapshots, parsed, day,
    class, back, quarantined, time, committed, moves_ms, window_end, refused_until, reason, message,
    timestamp_millis(coalesce(moves_ms, 0)) AS moves, ${slots.join(', ')},
    ${byTopic(new Map(numbers), 'CAST(array() AS ARRAY<INT>)')} AS counters
    FROM fates`;
}

/** What an event brings to a column: where it brings nothing 0 to a sum, null to others. */
function operandSql(aggregate: Aggregate, fieldOf: (name: string) => Field): string {
  const holds = conditionsSql(aggregate.where, fieldOf);
  const only = (value: string, otherwise: string) =>
    holds === 'true' ? value : `CASE WHEN ${holds} THEN ${value} ELSE ${otherwise} END`;
  if (aggregate.fn === 'count') return only('1', 'null');
  if (aggregate.fn === 'sum') return only(`coalesce(${eventField(aggregate.field)}, 0D)`, '0D');
  if (aggregate.fn === 'distinct') return only(textOf(fieldOf(aggregate.field)), 'null');
  return only(eventField(aggregate.field), 'null');
}

function rowsSql({ counters, slots, labels }: Shape): string {
  /** The expression of the counter whose number stands in `i`; counters with the same one share it. */
  const byCounter = (sqlOf: (counter: Counter) => string | null, otherwise = 'null'): string => {
    const numbersOf = new Map<string, number[]>();
    counters.forEach((counter, i) => {
      const sql = sqlOf(counter);
      if (sql !== null) numbersOf.set(sql, [...(numbersOf.get(sql) ?? []), i]);
    });
    const whens = [...numbersOf].map(([sql, numbers]) => `WHEN i IN (${numbers.join(', ')}) THEN ${sql}`);
    return whens.length === 0 ? otherwise : `CASE ${whens.join(' ')} ELSE ${otherwise} END`;
  };
  const sets = [...slots.columns.keys()].map((name) => {
    if (!name.startsWith('set')) return name;
    const has = ({ definition, shown }: Counter) =>
      shown && definition !== null && slots.of(definition).some((slot) => slotName(slot) === name);
    return `${byCounter((counter) => (has(counter) ? name : null))} AS ${name}`;
  });
  const names = Array.from({ length: labels }, (_, place) => {
    const label = ({ definition, shown }: Counter) => (shown ? definition?.labels?.[place] : undefined);
    const sql = byCounter((counter) => {
      const field = label(counter);
      return field === undefined ? null : clippedSql(eventField(field));
    });
    return `CAST(${sql} AS STRING) AS label_${place}`;
  });
  const time = byCounter(({ name }) => (name === BOOKKEEPING.source ? 'moves_ms' : null), 'time');
  return `SELECT i, ${byCounter(({ key }) => key)} AS k,
    ${byCounter(({ until }) => (until === 'never' ? null : `timestamp_millis(${until})`), NEVER)} AS until,
    offset, snapshots, ${time} AS time, committed, ${[...sets, ...names].join(', ')}
    FROM events LATERAL VIEW explode(counters) AS i WHERE i IS NOT NULL`;
}

function outputSql(shape: Shape, generation: string): string {
  const { counters, slots, labels } = shape;
  const functions = { count: 'count', sum: 'sum', min: 'min', max: 'max', set: 'collect_set' };
  const aggregated = [...slots.columns.keys()].map((name) => {
    const fn = functions[name.split('_')[0] as keyof typeof functions];
    return `${fn}(${name}) AS ${name}`;
  });
  const names = Array.from({ length: labels }, (_, i) => `max(label_${i}) AS label_${i}`);
  const byShape = (sqlOf: (counter: Counter) => string): string => {
    const numbersOf = new Map<string, number[]>();
    counters.forEach((counter, i) => {
      numbersOf.set(sqlOf(counter), [...(numbersOf.get(sqlOf(counter)) ?? []), i]);
    });
    return `CASE ${[...numbersOf].map(([sql, list]) => `WHEN i IN (${list.join(', ')}) THEN ${sql}`).join(' ')} END`;
  };
  const values = byShape(({ definition, values: own }) => {
    if (definition === null) return own;
    const list = slots.of(definition).map((slot) => {
      const name = slotName(slot);
      if (slot.kind === 'count') return `CAST(${name} AS DOUBLE)`;
      return slot.kind === 'set' ? `CAST(size(${name}) AS DOUBLE)` : name;
    });
    return `array(${list.join(', ')})`;
  });
  const shown = byShape(({ definition, shown: has }) =>
    has && definition?.labels !== undefined
      ? `array(${definition.labels.map((_, i) => `label_${i}`).join(', ')})`
      : 'CAST(array() AS ARRAY<STRING>)',
  );
  const definition = byShape(({ name }) => quoted(name));
  const grouped = `SELECT i, k, w, count(1) AS n, max(offset) AS offset, sum(snapshots) AS snapshots, max(time) AS t,
    max(committed) AS c, ${[...aggregated, ...names].join(', ')} FROM rows GROUP BY i, k, w`;
  const row = `SELECT ${quoted(generation)} AS g, ${NOW} AS b, ${definition} AS d, k,
    CASE WHEN w = ${NEVER} THEN 0 ELSE unix_millis(w) END AS w, n, ${values} AS v, ${shown} AS l,
    coalesce(t, 0) AS t, coalesce(c, 0) AS c FROM (${grouped})`;
  return `SELECT concat(g, '|', d, '|', to_json(k), '|', w) AS key,
    to_json(struct(g, b, d, k, w, n, v, l, t, c)) AS value FROM (${row})`;
}
