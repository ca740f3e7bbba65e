// The definitions (contracts/metrics.ts) in the most naive way: keep every event of a window, add up at the end.
// Judges the engines; shares no code with them.
import type { Condition, MetricDefinition } from '../../../src/contracts/metrics.ts';

type Fields = Readonly<Record<string, unknown>>;
export interface Line {
  readonly topic: string;
  readonly partition: number;
  readonly event: Fields;
}
export interface Expected {
  readonly quarantined: number;
  readonly too_late: number;
  /** By key; zeros and nulls among the values are left out. */
  readonly windows: Readonly<Record<string, unknown>>;
}

const get = (event: Fields, field: string): unknown => event[field] ?? null;

function holds(event: Fields, where: readonly Condition[] = []): boolean {
  return where.every((condition) => {
    const value = get(event, condition.field);
    if ('is' in condition) return value === condition.is;
    if (value === null) return false;
    const list: readonly unknown[] = 'in' in condition ? condition.in : condition.notIn;
    return list.includes(value) === 'in' in condition;
  });
}

/** What the windows must hold after these events, in this order (order matters only for what is too late). */
export function naive(lines: readonly Line[], definitions: readonly MetricDefinition[]): Expected {
  const buckets = new Map<string, { definition: MetricDefinition; events: Fields[] }>();
  let [quarantined, tooLate, newest] = [0, 0, Number.NEGATIVE_INFINITY];
  for (const { topic, event } of lines) {
    const time = event['event_time'] as number;
    const start = time - (((time % 30_000) + 30_000) % 30_000);
    if (time > (event['captured_at'] as number) + 60_000) quarantined++;
    else if (start + 30_000 <= newest - 10_000 - 3_600_000) tooLate++;
    else {
      newest = Math.max(newest, time);
      for (const definition of definitions) {
        if (!definition.topics.includes(topic) || !holds(event, definition.where)) continue;
        const group = JSON.stringify(definition.groupBy.map((field) => get(event, field)));
        const key = `${definition.name}|${group}|${start}`;
        if (!buckets.has(key)) buckets.set(key, { definition, events: [] });
        buckets.get(key)!.events.push(event);
      }
    }
  }
  const keys = [...buckets.keys()].sort();
  const windows = keys.map((key) => [key, addUp(buckets.get(key)!.definition, buckets.get(key)!.events)]);
  return { quarantined, too_late: tooLate, windows: Object.fromEntries(windows) };
}

function addUp(definition: MetricDefinition, events: readonly Fields[]): unknown {
  const values: Record<string, number | null> = {};
  for (const [name, aggregate] of Object.entries(definition.aggregates)) {
    const taken = events.filter((event) => holds(event, aggregate.where));
    const operands =
      aggregate.fn === 'count'
        ? []
        : taken
            .map((event) => get(event, aggregate.field) as number | null)
            .filter((value) => value !== null);
    if (aggregate.fn === 'count') values[name] = taken.length;
    else if (aggregate.fn === 'sum') values[name] = operands.reduce((sum, value) => sum + value, 0);
    else if (aggregate.fn === 'distinct') values[name] = new Set(operands).size;
    else values[name] = operands.length === 0 ? null : Math[aggregate.fn](...operands);
  }
  for (const [name, { fn, of }] of Object.entries(definition.derived ?? {})) {
    const [a, b] = [values[of[0]]!, values[of[1]]!];
    values[name] = fn === 'difference' ? a - b : b === 0 ? null : a / b;
  }
  const newest = (field: string) => Math.max(...events.map((event) => event[field] as number));
  const labels = (definition.labels ?? []).map((field) => {
    const texts = events.map((event) => get(event, field)).filter((text) => text !== null) as string[];
    return [field, texts.sort().at(-1) ?? null];
  });
  return {
    labels: Object.fromEntries(labels),
    values: withoutZeros(values),
    events: events.length,
    newest_event_time: newest('event_time'),
    newest_committed_at: newest('committed_at'),
  };
}

export const withoutZeros = (values: Readonly<Record<string, number | null>>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, number] => entry[1] !== 0 && entry[1] !== null),
  );
