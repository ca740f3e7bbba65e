// Which window an event falls into, which cell of it, and the life of a window: open, closed, evicted.
import { GROUPS_MAX, OTHER_GROUP } from '../../contracts/metrics.ts';
import { type Cell, newCell } from './aggregates.ts';
import type { CompiledDefinition } from './compile.ts';
import type { Scalar } from './fields.ts';

type Groups = Map<Scalar, Groups | Cell>;

/** The groups of one definition in one window. */
interface Table {
  readonly groups: Groups;
  readonly cells: Cell[];
}

export interface Window {
  /** Inclusive, epoch ms. */
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
  /** The watermark has passed the end. */
  closed: boolean;
  /** By definition. */
  readonly tables: readonly Table[];
}

/** Tumbling windows aligned to the epoch, all definitions of one window together. */
export class Windows {
  readonly #byStart = new Map<number, Window>();
  readonly definitions: readonly CompiledDefinition[];
  readonly #windowMs: number;
  readonly #groupsMax: number;
  #nextId = 1;
  #last: Window | null = null;
  /** Events whose group found no room and went to `(other)`. */
  overflow = 0;

  constructor(definitions: readonly CompiledDefinition[], windowMs: number, groupsMax = GROUPS_MAX) {
    this.definitions = definitions;
    this.#windowMs = windowMs;
    this.#groupsMax = groupsMax;
  }

  all(): Iterable<Window> {
    return this.#byStart.values();
  }

  endOf(eventTime: number): number {
    return Math.floor(eventTime / this.#windowMs) * this.#windowMs + this.#windowMs;
  }

  /** The window of an event time, made when it is not there; closed from the start if the watermark is past it. */
  at(eventTime: number, watermark: number): Window {
    const end = this.endOf(eventTime);
    if (this.#last !== null && this.#last.end === end) return this.#last;
    const start = end - this.#windowMs;
    let window = this.#byStart.get(start);
    if (window === undefined) {
      const tables = this.definitions.map(() => ({ groups: new Map(), cells: [] }));
      window = { start, end, closed: end <= watermark, tables };
      this.#byStart.set(start, window);
    }
    this.#last = window;
    return window;
  }

  /** The cell of the group that `values` (at the places `group`) name. */
  cell(
    window: Window,
    definition: CompiledDefinition,
    group: readonly number[],
    values: readonly Scalar[],
  ): Cell {
    const table = window.tables[definition.index]!;
    let level = table.groups;
    const last = group.length - 1;
    for (let i = 0; i < last; i++) {
      const below = level.get(values[group[i]!]!) as Groups | undefined;
      if (below === undefined) return this.#newGroup(table, window, definition, group, values);
      level = below;
    }
    const found = level.get(last < 0 ? null : values[group[last]!]!);
    return (found as Cell | undefined) ?? this.#newGroup(table, window, definition, group, values);
  }

  #newGroup(
    table: Table,
    window: Window,
    definition: CompiledDefinition,
    group: readonly number[],
    values: readonly Scalar[],
  ): Cell {
    const names = group.map((place) => values[place]!);
    if (table.cells.length < this.#groupsMax) {
      return this.#insert(table, newCell(definition, window, names, this.#nextId++));
    }
    this.overflow++;
    const other = names.map((): Scalar => OTHER_GROUP);
    const found = this.#find(table, other);
    return found ?? this.#insert(table, newCell(definition, window, other, this.#nextId++));
  }

  #find(table: Table, names: readonly Scalar[]): Cell | null {
    let level: Groups | Cell | undefined = table.groups;
    for (const name of names) level = (level as Groups | undefined)?.get(name);
    return (level as Cell | undefined) ?? null;
  }

  #insert(table: Table, cell: Cell): Cell {
    let level = table.groups;
    for (const name of cell.group.slice(0, -1)) {
      let below = level.get(name) as Groups | undefined;
      if (below === undefined) {
        below = new Map();
        level.set(name, below);
      }
      level = below;
    }
    level.set(cell.group.at(-1) ?? null, cell);
    table.cells.push(cell);
    return cell;
  }

  /** Puts back a cell of a checkpoint. */
  restore(index: number, start: number, watermark: number, group: readonly Scalar[], id: number): Cell {
    const window = this.at(start, watermark);
    this.#nextId = Math.max(this.#nextId, id + 1);
    return this.#insert(window.tables[index]!, newCell(this.definitions[index]!, window, group, id));
  }

  /** Closes the windows whose end the watermark has passed; the answer is those that were open. */
  close(watermark: number): readonly Window[] {
    const closing = [...this.#byStart.values()].filter((window) => !window.closed && window.end <= watermark);
    for (const window of closing) window.closed = true;
    return closing;
  }

  /** Forgets the windows that end at or before `limit`; the answer is what was forgotten. */
  evict(limit: number): readonly Window[] {
    const old = [...this.#byStart.values()].filter((window) => window.end <= limit);
    for (const window of old) this.#byStart.delete(window.start);
    if (old.length > 0) this.#last = null;
    return old;
  }

  /** For the stage's health. */
  figures(): Record<'windows' | 'windows_open' | 'groups', number> {
    let open = 0;
    let groups = 0;
    for (const { closed, tables } of this.#byStart.values()) {
      if (!closed) open++;
      for (const { cells } of tables) groups += cells.length;
    }
    return { windows: this.#byStart.size, windows_open: open, groups };
  }
}
