import { REPAIR_HORIZON_MS } from '../../contracts/metrics.ts';
import type { Cell } from './aggregates.ts';
import type { CheckpointChanges } from './checkpoint.ts';
import type { Ledgers } from './ledgers.ts';
import { saveCell } from './saved-cell.ts';
import type { Windows } from './windows.ts';

/** What events and time have changed in windows, until it is emitted and saved. */
export class WindowChanges {
  /** Changed cells that were not emitted yet, by definition. */
  readonly unsent: Cell[][];
  readonly #windows: Windows;
  readonly #ledgers: Ledgers;
  #unsaved: Cell[] = [];
  #evicted: number[] = [];

  constructor(windows: Windows, ledgers: Ledgers) {
    this.#windows = windows;
    this.#ledgers = ledgers;
    this.unsent = windows.definitions.map(() => []);
  }

  add(cell: Cell): void {
    if (!cell.unsent) {
      cell.unsent = true;
      this.unsent[cell.definition.index]!.push(cell);
    }
    if (!cell.unsaved) {
      cell.unsaved = true;
      this.#unsaved.push(cell);
    }
  }

  /** The watermark moved: closes windows that it has passed, settles and forgets those older than the horizon. */
  pass(watermark: number): void {
    for (const { tables } of this.#windows.close(watermark)) {
      for (const { cells } of tables) for (const cell of cells) this.add(cell);
    }
    for (const window of this.#windows.evict(watermark - REPAIR_HORIZON_MS)) {
      this.#ledgers.settle(window);
      this.#evicted.push(window.start);
    }
  }

  /** Whether `take` would have anything. */
  get any(): boolean {
    return this.#unsaved.length > 0 || this.#evicted.length > 0;
  }

  /** What changed since this was last called. */
  take(): Pick<CheckpointChanges, 'cells' | 'evicted'> {
    const evicted = this.#evicted;
    const gone = new Set(evicted);
    const cells = this.#unsaved.filter(({ window }) => !gone.has(window.start)).map(saveCell);
    this.#unsaved = [];
    this.#evicted = [];
    return { cells, evicted };
  }
}
