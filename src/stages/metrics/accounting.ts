// The sums that `instashop status --verify` compares with the shop, the log and the warehouse.
import { LEDGER_STATUSES } from '../../contracts/metrics.ts';
import type { CompiledDefinition } from './compile.ts';
import type { Accounting, BehaviorRow, ItemsRow, LedgerSums, SalesRow } from './engine.ts';
import { dayOf, type Ledger, ledgerGroup } from './ledgers.ts';
import type { Tally } from './tallies.ts';

/** The part of a cell that is needed here. */
export interface CellSums {
  readonly definition: CompiledDefinition;
  readonly windowStart: number;
  readonly group: readonly (string | number | boolean | null)[];
  readonly sums: readonly number[];
}

export interface AccountingSource {
  readonly definitions: readonly CompiledDefinition[];
  readonly offsets: ReadonlyMap<string, number>;
  readonly cells: Iterable<CellSums>;
  readonly ledgers: Iterable<Ledger>;
  readonly tallies: Iterable<Tally>;
}

/** Adds up the windows' own values (those kept and those settled) and, beside them, what no window has. */
export function accountingOf(source: AccountingSource): Accounting {
  const windows = new Sums(source.definitions);
  const tooLate = new Sums(source.definitions);
  const quarantined = new Sums(source.definitions);
  for (const cell of source.cells) {
    const group = ledgerGroup(cell);
    if (group !== null) windows.add(cell.definition.name, dayOf(cell.windowStart), group, cell.sums);
  }
  const byKind = { settled: windows, too_late: tooLate, quarantined };
  for (const { kind, definition, day, group, sums } of source.ledgers) {
    // Events that found their window after all, or that no aggregate takes.
    if (kind !== 'settled' && sums.every((sum) => sum === 0)) continue;
    byKind[kind].add(definition, day, group, sums);
  }
  return {
    offsets: source.offsets,
    windows: windows.rows(),
    tooLate: tooLate.rows(),
    quarantined: quarantined.rows(),
    events: [...source.tallies].filter((tally) => tally.count !== 0).map((tally) => ({ ...tally })),
  };
}

/** Sums per definition, day and group, by slot. */
class Sums {
  readonly #sums = new Map<string, { definition: string; day: string; group: string; sums: number[] }>();
  readonly #definitions: ReadonlyMap<string, CompiledDefinition>;

  constructor(definitions: readonly CompiledDefinition[]) {
    this.#definitions = new Map(definitions.map((definition) => [definition.name, definition]));
  }

  add(definition: string, day: string, group: string, sums: readonly number[]): void {
    const key = `${definition}|${day}|${group}`;
    const row = this.#sums.get(key);
    if (row === undefined) this.#sums.set(key, { definition, day, group, sums: [...sums] });
    else for (let i = 0; i < sums.length; i++) row.sums[i]! += sums[i]!;
  }

  rows(): LedgerSums {
    const sales: SalesRow[] = [];
    const items: ItemsRow[] = [];
    const behavior: BehaviorRow[] = [];
    for (const { definition, day, group, sums } of this.#sums.values()) {
      const slots = this.#definitions.get(definition)!.slots;
      const sum = (name: string): number => sums[slots.findIndex((slot) => slot.name === name)]!;
      if (definition === 'behavior') behavior.push({ day, interactionType: group, count: sum('count') });
      else if (definition === 'transactions') sales.push(...salesRows(day, group, sum));
      else {
        items.push({
          day,
          currency: group,
          sales: sum('sales'),
          grossMinor: sum('gross_minor'),
          reversals: sum('reversals'),
          reversalsMinor: sum('reversals_minor'),
        });
      }
    }
    return { sales: sorted(sales), items: sorted(items), behavior: sorted(behavior) };
  }
}

const salesRows = (day: string, currency: string, sum: (name: string) => number): SalesRow[] =>
  LEDGER_STATUSES.map((status) => ({
    day,
    currency,
    status,
    entered: sum(`${status}_entered`),
    left: sum(`${status}_left`),
    enteredMinor: sum(`${status}_entered_minor`),
    leftMinor: sum(`${status}_left_minor`),
  })).filter((row) => row.entered !== 0 || row.left !== 0);

/** By their texts, so that the same sums always look the same. */
const sorted = <T extends object>(rows: readonly T[]): readonly T[] => {
  const key = (row: T): string =>
    Object.values(row)
      .filter((value) => typeof value === 'string')
      .join('|');
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
};
