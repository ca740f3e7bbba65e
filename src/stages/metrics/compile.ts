// From definitions (data) to what runs per event: every condition of a topic is one bit, evaluated once an event, and
// each definition keeps, per combination of bits, the list of aggregates to feed.
import type { Aggregate, Condition, MetricDefinition } from '../../contracts/metrics.ts';
import { type Field, fieldOf, readFields, type Scalar } from './fields.ts';

export const FN = { count: 0, sum: 1, min: 2, max: 3, distinct: 4 } as const;

const BEFORE_FIRST: Readonly<Record<number, number>> = {
  [FN.min]: Number.POSITIVE_INFINITY,
  [FN.max]: Number.NEGATIVE_INFINITY,
};

/** One aggregate to feed: which slot of the cell, from which value of the event. */
export interface Op {
  readonly fn: number;
  readonly slot: number;
  readonly value: number;
  /** Of a distinct: which of the cell's sets. */
  readonly set: number;
}

export interface CompiledDefinition {
  readonly name: string;
  /** Place among the engine's definitions. */
  readonly index: number;
  readonly groupBy: readonly string[];
  readonly labels: readonly string[];
  /** Aggregates by slot. */
  readonly slots: readonly { readonly name: string; readonly fn: number }[];
  readonly derived: readonly {
    readonly name: string;
    readonly ratio: boolean;
    readonly a: number;
    readonly b: number;
  }[];
  /** What the slots hold before the first event; a min or max over nothing is infinite, and null when written. */
  readonly initial: readonly number[];
  readonly sets: number;
}

/** How one definition takes events of one topic. The numbers are places in the topic's values. */
export interface Feed {
  readonly definition: CompiledDefinition;
  readonly group: readonly number[];
  readonly labels: readonly number[];
  /** What to feed for an event with these condition bits; null: the definition does not take it. */
  opsFor(bits: number): readonly Op[] | null;
}

export interface TopicProgram {
  readonly topic: string;
  /** Fields that are read, in the order in which they are checked. */
  readonly fields: readonly Field[];
  /** Places in `values`: 0 event_time, 1 captured_at, 2 committed_at. Overwritten by the next read. */
  readonly values: Scalar[];
  /** null, or what is wrong with the event. */
  read(event: Readonly<Record<string, unknown>>): string | null;
  /** Condition bits of what was read. */
  bits(): number;
  readonly feeds: readonly Feed[];
}

export interface Program {
  readonly definitions: readonly CompiledDefinition[];
  readonly topics: ReadonlyMap<string, TopicProgram>;
  readonly windowMs: number;
}

export const EVENT_TIME = 0;
export const CAPTURED_AT = 1;
export const COMMITTED_AT = 2;

const CONDITIONS_MAX = 31;
const CACHE_MAX = 4096;

/** Compiles definitions. Throws an Error naming the definition, topic or field that makes no sense. */
export function compile(definitions: readonly MetricDefinition[]): Program {
  const windowMs = definitions[0]?.windowMs ?? 1;
  if (definitions.some((definition) => definition.windowMs !== windowMs)) {
    throw new Error('all metric definitions must have the same window');
  }
  const compiled = definitions.map(compileDefinition);
  const topics = [...new Set(definitions.flatMap((definition) => definition.topics))];
  const programs = topics.map((topic): [string, TopicProgram] => [
    topic,
    compileTopic(
      topic,
      definitions.flatMap((definition, i) =>
        definition.topics.includes(topic) ? [{ definition, compiled: compiled[i]! }] : [],
      ),
    ),
  ]);
  return { definitions: compiled, topics: new Map(programs), windowMs };
}

function compileDefinition(definition: MetricDefinition, index: number): CompiledDefinition {
  const slots = Object.entries(definition.aggregates).map(([name, { fn }]) => ({ name, fn: FN[fn] }));
  const names = slots.map((slot) => slot.name);
  const place = (name: string): number => {
    const found = names.indexOf(name);
    if (found < 0) throw new Error(`${definition.name}: nothing before is named ${name}`);
    return found;
  };
  const derived = Object.entries(definition.derived ?? {}).map(([name, { fn, of }]) => {
    const [a, b] = [place(of[0]), place(of[1])];
    names.push(name);
    return { name, ratio: fn === 'ratio', a, b };
  });
  return {
    name: definition.name,
    index,
    groupBy: definition.groupBy,
    labels: definition.labels ?? [],
    slots,
    derived,
    initial: slots.map(({ fn }) => BEFORE_FIRST[fn] ?? 0),
    sets: slots.filter(({ fn }) => fn === FN.distinct).length,
  };
}

function compileTopic(
  topic: string,
  taken: readonly { definition: MetricDefinition; compiled: CompiledDefinition }[],
): TopicProgram {
  const fields: Field[] = [];
  const place = (name: string): number => {
    const known = fields.findIndex((field) => field.name === name);
    return known >= 0 ? known : fields.push(fieldOf(topic, name)) - 1;
  };
  for (const name of ['event_time', 'captured_at', 'committed_at']) place(name);
  const conditions = conditionBits(place);
  const feeds = taken.map(({ definition, compiled }): Feed => {
    const where = conditions.maskOf(definition.where);
    const guarded = guardedOps(definition, place, conditions.maskOf);
    return {
      definition: compiled,
      group: definition.groupBy.map(place),
      labels: (definition.labels ?? []).map(place),
      opsFor: remember((bits) =>
        (bits & where) === where
          ? guarded.filter(({ mask }) => (bits & mask) === mask).map(({ op }) => op)
          : null,
      ),
    };
  });
  const values: Scalar[] = fields.map(() => null);
  return {
    topic,
    fields,
    values,
    read: (event) => readFields(event, fields, values),
    bits: conditions.compile(values),
    feeds,
  };
}

function guardedOps(
  definition: MetricDefinition,
  place: (field: string) => number,
  maskOf: (where: readonly Condition[] | undefined) => number,
): readonly { readonly mask: number; readonly op: Op }[] {
  let sets = 0;
  return Object.values(definition.aggregates).map((aggregate: Aggregate, slot) => ({
    mask: maskOf(aggregate.where),
    op: {
      fn: FN[aggregate.fn],
      slot,
      value: aggregate.fn === 'count' ? -1 : place(aggregate.field),
      set: aggregate.fn === 'distinct' ? sets++ : -1,
    },
  }));
}

const holds = (condition: Condition, value: Scalar): boolean => {
  if ('is' in condition) return value === condition.is;
  if (value === null) return false;
  return 'in' in condition
    ? condition.in.includes(value as string | number)
    : !condition.notIn.includes(value as string | number);
};

/** Gives each different condition its bit, and evaluates all conditions on a field with one look-up of its value. */
function conditionBits(place: (field: string) => number) {
  const known = new Map<string, number>();
  const byField = new Map<number, { readonly condition: Condition; readonly bit: number }[]>();
  const bitOf = (condition: Condition): number => {
    const name = JSON.stringify(condition);
    const bit = known.get(name) ?? 1 << known.size;
    if (known.has(name)) return bit;
    if (known.size === CONDITIONS_MAX) throw new Error(`more than ${CONDITIONS_MAX} conditions on one topic`);
    known.set(name, bit);
    const field = place(condition.field);
    byField.set(field, [...(byField.get(field) ?? []), { condition, bit }]);
    return bit;
  };
  return {
    maskOf: (where: readonly Condition[] = []): number => where.reduce((mask, one) => mask | bitOf(one), 0),
    compile(values: readonly Scalar[]): () => number {
      const evaluators = [...byField].map(([field, conditions]) => {
        const bitsOf = remember((value: Scalar) =>
          conditions.reduce((bits, { condition, bit }) => (holds(condition, value) ? bits | bit : bits), 0),
        );
        return { field, bitsOf };
      });
      return () => {
        let bits = 0;
        for (let i = 0; i < evaluators.length; i++) {
          const { field, bitsOf } = evaluators[i]!;
          bits |= bitsOf(values[field]!);
        }
        return bits;
      };
    },
  };
}

/** Remembers answers, a bounded number of them. */
function remember<K, V>(compute: (key: K) => V): (key: K) => V {
  const cache = new Map<K, V>();
  return (key) => {
    const cached = cache.get(key);
    if (cached !== undefined) return cached;
    if (cache.size === CACHE_MAX) cache.clear();
    const value = compute(key);
    cache.set(key, value);
    return value;
  };
}
