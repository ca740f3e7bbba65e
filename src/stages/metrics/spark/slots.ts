// Which column of the one aggregation holds which aggregate of which definition. Aggregates of topics that never meet
// in a row share a column, so that a row stays narrow.
import type { Aggregate, MetricDefinition } from '../../../contracts/metrics.ts';

/** Columns of a kind are added up alike; in a `count`, whatever is not null counts. */
export type SlotKind = 'count' | 'sum' | 'min' | 'max' | 'set';

const KINDS: Readonly<Record<Aggregate['fn'], SlotKind>> = {
  count: 'count',
  sum: 'sum',
  min: 'min',
  max: 'max',
  distinct: 'set',
};

export interface Slot {
  readonly kind: SlotKind;
  readonly place: number;
}

export interface Slots {
  /** What the column is made of, by topic. */
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, Aggregate>>;
  /** Columns of a definition's aggregates, in declared order. */
  of(definition: MetricDefinition): readonly Slot[];
}

export const slotName = ({ kind, place }: Slot): string => `${kind}_${place}`;

/** Gives each aggregate the first column that is free in all its topics, or holds the same aggregate there. */
export function planSlots(definitions: readonly MetricDefinition[]): Slots {
  const columns = new Map<string, Map<string, Aggregate>>();
  const columnOf = (slot: Slot): Map<string, Aggregate> => {
    const column = columns.get(slotName(slot)) ?? new Map<string, Aggregate>();
    columns.set(slotName(slot), column);
    return column;
  };
  const slotFor = (aggregate: Aggregate, topics: readonly string[]): Slot => {
    const kind = KINDS[aggregate.fn];
    for (let place = 0; ; place++) {
      const column = columnOf({ kind, place });
      const fits = topics.every((topic) => same(column.get(topic) ?? aggregate, aggregate));
      if (!fits) continue;
      for (const topic of topics) column.set(topic, aggregate);
      return { kind, place };
    }
  };
  const slots = new Map(
    definitions.map((definition) => [
      definition.name,
      Object.values(definition.aggregates).map((aggregate) => slotFor(aggregate, definition.topics)),
    ]),
  );
  return { columns, of: ({ name }) => slots.get(name)! };
}

const same = (a: Aggregate, b: Aggregate): boolean => JSON.stringify(a) === JSON.stringify(b);
