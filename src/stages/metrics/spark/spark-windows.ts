// The windows as the query's rows have them: what Spark counts, this closes, revises and lets go.
import { type MetricDefinition, REPAIR_HORIZON_MS } from '../../../contracts/metrics.ts';
import type { Cell } from '../aggregates.ts';
import type { CheckpointChanges, CheckpointState } from '../checkpoint.ts';
import type { CompiledDefinition, Program } from '../compile.ts';
import type { Scalar } from '../fields.ts';
import { dayOf, type Ledgers, ledgerGroup } from '../ledgers.ts';
import { restoreCell, saveCell } from '../saved-cell.ts';
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
  /** By definition. */
  readonly unsent: Cell[][];
  revisions = 0;
  readonly #shown: ReadonlyMap<string, Shown>;
  readonly #windows: Windows;
  readonly #windowMs: number;
  readonly #ledgers: Ledgers;
  #unsaved: Cell[] = [];
  #evicted: number[] = [];

  /** What windows have, they take out of the ledgers' `too_late`. */
  constructor(program: Program, definitions: readonly MetricDefinition[], ledgers: Ledgers) {
    // Spark holds the members of distincts.
    const compiled = program.definitions.map((definition) => ({ ...definition, sets: 0 }));
    this.#windows = new Windows(compiled, program.windowMs);
    this.#windowMs = program.windowMs;
    this.#ledgers = ledgers;
    this.unsent = compiled.map(() => []);
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
    this.#changed(cell);
  }

  #changed(cell: Cell): void {
    if (!cell.unsent) {
      cell.unsent = true;
      this.unsent[cell.definition.index]!.push(cell);
    }
    if (!cell.unsaved) {
      cell.unsaved = true;
      this.#unsaved.push(cell);
    }
  }

  /** The watermark moved: closes what it has passed, settles what is older than the horizon. */
  pass(watermark: number): void {
    for (const { tables } of this.#windows.close(watermark)) {
      for (const { cells } of tables) for (const cell of cells) this.#changed(cell);
    }
    for (const window of this.#windows.evict(watermark - REPAIR_HORIZON_MS)) {
      this.#ledgers.settle(window);
      this.#evicted.push(window.start);
    }
  }

  get changed(): boolean {
    return this.#unsaved.length > 0 || this.#evicted.length > 0;
  }

  /** What changed since this was last called. */
  takeChanges(): Pick<CheckpointChanges, 'cells' | 'evicted'> {
    const evicted = this.#evicted;
    const gone = new Set(evicted);
    const cells = this.#unsaved.filter(({ window }) => !gone.has(window.start)).map(saveCell);
    this.#unsaved = [];
    this.#evicted = [];
    return { cells, evicted };
  }

  /** Rows of groups that found no room in their window. */
  get overflow(): number {
    return this.#windows.overflow;
  }
  set overflow(rows: number) {
    this.#windows.overflow = rows;
  }

  figures(): Record<'windows' | 'windows_open' | 'groups', number> {
    const windows = [...this.#windows.all()];
    let groups = 0;
    for (const { tables } of windows) for (const { cells } of tables) groups += cells.length;
    return {
      windows: windows.length,
      windows_open: windows.filter((window) => !window.closed).length,
      groups,
    };
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
