// The windows as the query's rows have them: what Spark counts, this closes, revises and lets go.
import type { MetricDefinition } from '../../../contracts/metrics.ts';
import type { Cell } from '../aggregates.ts';
import type { CheckpointState } from '../checkpoint.ts';
import type { CompiledDefinition, Program } from '../compile.ts';
import type { Scalar } from '../fields.ts';
import { dayOf, type Ledgers, ledgerGroup } from '../ledgers.ts';
import { restoreCell } from '../saved-cell.ts';
import { WindowChanges } from '../window-changes.ts';
import { Windows } from '../windows.ts';
import type { SparkRow } from './row.ts';

/** How texts of a row's key become the group's values. */
type ReadKey = (key: SparkRow['key']) => readonly Scalar[];

interface Shown {
  readonly definition: CompiledDefinition;
  readonly readKey: ReadKey;
  /** Where a group's values stand in themselves: what Windows is asked with. */
  readonly places: readonly number[];
}

export class SparkWindows {
  readonly changes: WindowChanges;
  revisions = 0;
  readonly #shown: ReadonlyMap<string, Shown>;
  readonly #windows: Windows;
  readonly #windowMs: number;
  readonly #ledgers: Ledgers;

  /** What windows have, they take out of the ledgers' `too_late`. */
  constructor(program: Program, definitions: readonly MetricDefinition[], ledgers: Ledgers) {
    // Spark holds the members of distincts.
    const compiled = program.definitions.map((definition) => ({ ...definition, sets: 0 }));
    this.#windows = new Windows(compiled, program.windowMs);
    this.#windowMs = program.windowMs;
    this.#ledgers = ledgers;
    this.changes = new WindowChanges(this.#windows, ledgers);
    this.#shown = new Map(
      compiled.map((definition, i): [string, Shown] => [
        definition.name,
        {
          definition,
          readKey: keyReader(program, definitions[i]!),
          places: [...definition.groupBy.keys()],
        },
      ]),
    );
  }

  restore(cells: CheckpointState['cells'], watermark: number): void {
    for (const saved of cells) {
      const { index } = this.#shown.get(saved.definition)!.definition;
      restoreCell(this.#windows.restore(index, saved.windowStart, watermark, saved.group, saved.id), saved);
    }
  }

  /** Takes a row of a window that is kept, unless a newer one of its key was. Throws where it fits no definition. */
  take(row: SparkRow, watermark: number): void {
    const shown = this.#shown.get(row.definition);
    if (shown?.definition.slots.length !== row.values.length || shown.places.length !== row.key.length) {
      throw new Error(`a row of spark_windows fits no definition: ${row.definition}`);
    }
    const { definition, readKey, places } = shown;
    const group = readKey(row.key);
    const window = this.#windows.at(row.windowEnd - this.#windowMs, watermark);
    const cell = this.#windows.cell(window, definition, places, group);
    // No room for more groups: this one is not shown.
    if (cell.group.some((value, i) => value !== group[i])) return;
    const grown = row.events - cell.events;
    if (grown <= 0) return;
    this.#update(cell, row);
    if (!window.closed) return;
    cell.revision += grown;
    this.revisions += grown;
  }

  #update(cell: Cell, row: SparkRow): void {
    const { definition, window, sums } = cell;
    const group = ledgerGroup(cell);
    const day = group === null ? '' : dayOf(window.start);
    if (group !== null) this.#ledgers.move('too_late', definition, day, group, sums, 1);
    for (let slot = 0; slot < sums.length; slot++) sums[slot] = row.values[slot] ?? definition.initial[slot]!;
    if (group !== null) this.#ledgers.move('too_late', definition, day, group, sums, -1);
    for (let i = 0; i < cell.labels.length; i++) cell.labels[i] = row.labels[i] ?? null;
    cell.events = row.events;
    cell.newestEventTime = row.newestEventTime;
    cell.newestCommittedAt = row.newestCommittedAt;
    this.changes.add(cell);
  }

  /** Rows of groups that found no room in their window. */
  get overflow(): number {
    return this.#windows.overflow;
  }
  set overflow(rows: number) {
    this.#windows.overflow = rows;
  }

  figures(): ReturnType<Windows['figures']> {
    return this.#windows.figures();
  }
}

function keyReader(program: Program, { topics, groupBy }: MetricDefinition): ReadKey {
  const { fields } = program.topics.get(topics[0]!)!;
  const kinds = groupBy.map((name) => fields.find((field) => field.name === name)!.kind);
  return (key) =>
    key.map((text, i) => {
      if (text === null || kinds[i] === 'string') return text;
      return kinds[i] === 'integer' ? Number(text) : text === 'true';
    });
}
