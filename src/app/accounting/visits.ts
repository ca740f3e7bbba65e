// Interactions as the log has them: an update or a deletion names the row, not the day it was recorded on.
import { ledgerDigest } from '../../lib/digest.ts';
import { dayOf, keyOf, type Sums, Totals } from './sums.ts';

interface Change {
  readonly position: string;
  /** null: deleted. */
  readonly type: string | null;
  readonly time: number;
}

export class Visits {
  /** Recorded ones, side by side: three numbers a visit. */
  readonly #ids: number[] = [];
  readonly #times: number[] = [];
  readonly #types: number[] = [];
  readonly #typeNumbers = new Map<string, number>();
  /** Later changes, by id: the newest one. */
  readonly #changes = new Map<number, Change>();

  take(event: Readonly<Record<string, unknown>>): void {
    const id = Number(event['interaction_id']);
    const type = String(event['interaction_type']);
    const time = Number(event['event_time']);
    if (event['op'] === 'recorded') {
      this.#ids.push(id);
      this.#times.push(time);
      let number = this.#typeNumbers.get(type);
      if (number === undefined) {
        number = this.#typeNumbers.size;
        this.#typeNumbers.set(type, number);
      }
      this.#types.push(number);
      return;
    }
    const position = String(event['source_position']);
    const before = this.#changes.get(id);
    if (before !== undefined && before.position > position) return;
    this.#changes.set(id, { position, type: event['op'] === 'deleted' ? null : type, time });
  }

  /** Rows that are there in the end, by `day|type`; without those of these ids. */
  sums(leftOut: ReadonlySet<number>): Sums {
    const totals = new Totals();
    const types = [...this.#typeNumbers.keys()];
    const add = (id: number, time: number, type: string) =>
      totals.add(keyOf(dayOf(time), type), 1, 0, ledgerDigest(id, type, 0));
    const changes = new Map(this.#changes);
    for (const [index, id] of this.#ids.entries()) {
      const change = changes.get(id);
      changes.delete(id);
      if (leftOut.has(id) || change?.type === null) continue;
      add(id, this.#times[index]!, change?.type ?? types[this.#types[index]!]!);
    }
    // Corrected into something an event can hold: never recorded as such.
    for (const [id, { type, time }] of changes) if (type !== null && !leftOut.has(id)) add(id, time, type);
    return totals.sums;
  }
}
