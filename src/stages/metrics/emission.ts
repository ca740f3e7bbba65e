// Which changed values are written when: few of a kind at once, many of a kind (per product, per merchant) at a
// slower pace, so that a busy shop's long tail does not cost what its headline figures need.
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import type { Cell } from './aggregates.ts';
import { renderCell } from './render.ts';

/** A definition with more changed groups than this waits. */
const FEW = 16;
const WIDE_INTERVAL_MS = 250;

export class Emission {
  readonly #unsent: Cell[][];
  readonly #takenAt: number[];

  /** Works on the engine's lists of changed cells, by definition. */
  constructor(unsent: Cell[][]) {
    this.#unsent = unsent;
    this.#takenAt = unsent.map(() => Number.NEGATIVE_INFINITY);
  }

  get pending(): boolean {
    return this.#unsent.some((cells) => cells.length > 0);
  }

  /** Values due now, or all that changed, each once with its newest value. */
  take(now: number, all: boolean): readonly OutgoingRecord[] {
    const due: OutgoingRecord[] = [];
    for (let i = 0; i < this.#unsent.length; i++) {
      const cells = this.#unsent[i]!;
      if (cells.length === 0) continue;
      if (!all && cells.length > FEW && now - this.#takenAt[i]! < WIDE_INTERVAL_MS) continue;
      this.#takenAt[i] = now;
      for (const cell of cells) {
        cell.unsent = false;
        due.push(renderCell(cell));
      }
      cells.length = 0;
    }
    return due;
  }
}
