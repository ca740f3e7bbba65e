// What is no longer, or never was, in a window: additive sums per day, so that windows + ledgers = the log.
import { addSums, type Cell, feedSums } from './aggregates.ts';
import type { CompiledDefinition, Feed, Op } from './compile.ts';
import type { Scalar } from './fields.ts';
import type { Window } from './windows.ts';

/** Definitions that the accounting is made of, and the group field their sums are kept by. */
const LEDGER_FIELDS: Readonly<Record<string, string>> = {
  transactions: 'currency',
  products_by_category: 'currency',
  behavior: 'interaction_type',
};

/** settled: of windows that are gone. too_late, quarantined: of events that no window has. */
export type LedgerKind = 'settled' | 'too_late' | 'quarantined';

export interface Ledger {
  readonly kind: LedgerKind;
  readonly definition: string;
  readonly day: string;
  readonly group: string;
  /** By the definition's slots; only counts and sums are used. */
  readonly sums: number[];
}

const DAY_MS = 86_400_000;
let lastDay = Number.NaN;
let lastText = '';

/** UTC day of an instant, YYYY-MM-DD. */
export function dayOf(timeMs: number): string {
  const day = Math.floor(timeMs / DAY_MS);
  if (day !== lastDay) {
    lastText = new Date(day * DAY_MS).toISOString().split('T')[0]!;
    lastDay = day;
  }
  return lastText;
}

/** Place of the group field that a definition's ledgers are kept by; -1 when it has no ledger. */
export const groupPlace = (definition: Pick<CompiledDefinition, 'name' | 'groupBy'>): number =>
  definition.groupBy.indexOf(LEDGER_FIELDS[definition.name] ?? '');

/** The part of a cell's group that ledgers are kept by; null when its definition has no ledger. */
export const ledgerGroup = ({ definition, group }: Pick<Cell, 'definition' | 'group'>): string | null => {
  const place = groupPlace(definition);
  return place < 0 ? null : String(group[place]);
};

export class Ledgers {
  readonly #rows = new Map<string, Ledger>();
  readonly #changed = new Set<Ledger>();

  all(): Iterable<Ledger> {
    return this.#rows.values();
  }

  restore(row: Ledger): void {
    this.#rows.set(`${row.kind}|${row.definition}|${row.day}|${row.group}`, row);
  }

  /** Rows changed since this was last called. */
  takeChanged(): readonly Ledger[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    return changed;
  }

  /** An event that no window has; sign -1: it found its window after all. */
  add(
    kind: LedgerKind,
    feed: Feed,
    eventTime: number,
    ops: readonly Op[],
    values: readonly Scalar[],
    sign: 1 | -1,
  ) {
    const place = groupPlace(feed.definition);
    if (place < 0) return;
    const group = String(values[feed.group[place]!]);
    feedSums(this.#sums(kind, feed.definition, dayOf(eventTime), group), ops, values, sign);
  }

  /** Adds sums of a definition, or takes them back. */
  move(
    kind: LedgerKind,
    definition: CompiledDefinition,
    day: string,
    group: string,
    sums: readonly number[],
    sign: 1 | -1,
  ): void {
    addSums(this.#sums(kind, definition, day, group), definition, sums, sign);
  }

  /** Takes over what a window that goes away holds. */
  settle(window: Window): void {
    for (const { cells } of window.tables) {
      for (const cell of cells) {
        const group = ledgerGroup(cell);
        if (group === null) break;
        this.move('settled', cell.definition, dayOf(window.start), group, cell.sums, 1);
      }
    }
  }

  #sums(kind: LedgerKind, definition: CompiledDefinition, day: string, group: string): number[] {
    const key = `${kind}|${definition.name}|${day}|${group}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { kind, definition: definition.name, day, group, sums: definition.slots.map(() => 0) };
      this.#rows.set(key, row);
    }
    this.#changed.add(row);
    return row.sums;
  }
}
