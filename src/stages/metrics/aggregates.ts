// The values of one group in one window, and how events are added to them.
import { type CompiledDefinition, FN, type Op } from './compile.ts';
import type { Scalar } from './fields.ts';
import type { Window } from './windows.ts';

export interface Cell {
  readonly definition: CompiledDefinition;
  readonly window: Window;
  readonly group: readonly Scalar[];
  /** Row in the checkpoint. */
  readonly id: number;
  /** By slot; a distinct's slot is the size of its set. */
  readonly sums: number[];
  /** Members of the distincts. A closed window's are text (JSON) until a late event needs them: it takes less room. */
  readonly sets: (Set<Scalar> | string)[];
  /** Members that the checkpoint does not have yet, by set. */
  added: Scalar[][] | null;
  readonly labels: (string | null)[];
  events: number;
  revision: number;
  newestEventTime: number;
  newestCommittedAt: number;
  /** Changed since it was last emitted / saved. */
  unsent: boolean;
  unsaved: boolean;
}

export function newCell(
  definition: CompiledDefinition,
  window: Window,
  group: readonly Scalar[],
  id: number,
): Cell {
  return {
    definition,
    window,
    group,
    id,
    sums: definition.initial.slice(),
    sets: Array.from({ length: definition.sets }, () => new Set<Scalar>()),
    added: null,
    labels: definition.labels.map(() => null),
    events: 0,
    revision: 0,
    newestEventTime: Number.NEGATIVE_INFINITY,
    newestCommittedAt: Number.NEGATIVE_INFINITY,
    unsent: false,
    unsaved: false,
  };
}

/** Feeds an event's values to the aggregates. null counts as nothing, as in SQL. */
export function feed(cell: Cell, ops: readonly Op[], values: readonly Scalar[]): void {
  const { sums } = cell;
  for (let i = 0; i < ops.length; i++) {
    const { fn, slot, value, set } = ops[i]!;
    if (fn === FN.count) {
      sums[slot]! += 1;
      continue;
    }
    const operand = values[value]!;
    if (operand === null) continue;
    if (fn === FN.distinct) sums[slot] = addMember(cell, set, operand);
    else if (fn === FN.sum) sums[slot]! += operand as number;
    else if (fn === FN.min) sums[slot] = Math.min(sums[slot]!, operand as number);
    else sums[slot] = Math.max(sums[slot]!, operand as number);
  }
}

function addMember(cell: Cell, index: number, member: Scalar): number {
  let set = cell.sets[index]!;
  if (typeof set === 'string') {
    set = new Set(JSON.parse(set) as Scalar[]);
    cell.sets[index] = set;
  }
  const { size } = set;
  set.add(member);
  if (set.size > size) {
    cell.added ??= cell.sets.map(() => []);
    cell.added[index]!.push(member);
  }
  return set.size;
}

/** Packs the distincts of a cell that is not expected to change. */
export function pack(cell: Cell): void {
  for (let i = 0; i < cell.sets.length; i++) {
    const set = cell.sets[i]!;
    if (typeof set !== 'string') cell.sets[i] = JSON.stringify([...set]);
  }
}

/** Adds what is additive (counts and sums) of an event to a ledger's sums; sign -1 takes it back. */
export function feedSums(sums: number[], ops: readonly Op[], values: readonly Scalar[], sign: 1 | -1): void {
  for (const { fn, slot, value } of ops) {
    if (fn === FN.count) sums[slot]! += sign;
    else if (fn === FN.sum) sums[slot]! += sign * ((values[value] as number | null) ?? 0);
  }
}

/** Adds what is additive of `from` (by the definition's slots) to a ledger's sums; sign -1 takes it back. */
export function addSums(
  sums: number[],
  { slots }: CompiledDefinition,
  from: readonly number[],
  sign: 1 | -1,
): void {
  for (let slot = 0; slot < slots.length; slot++) {
    const { fn } = slots[slot]!;
    if (fn === FN.count || fn === FN.sum) sums[slot]! += sign * from[slot]!;
  }
}
