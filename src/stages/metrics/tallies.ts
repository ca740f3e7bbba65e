import type { Fate } from './engine.ts';

export interface Tally {
  readonly topic: string;
  readonly day: string;
  readonly fate: Fate;
  count: number;
}

/** How many events of a topic and day met which fate. */
export class Tallies {
  readonly #rows = new Map<string, Tally>();
  readonly #changed = new Set<Tally>();
  #last: Tally | null = null;

  all(): Iterable<Tally> {
    return this.#rows.values();
  }

  restore(row: Tally): void {
    this.#rows.set(`${row.topic}|${row.day}|${row.fate}`, row);
  }

  add(topic: string, day: string, fate: Fate, count: number): void {
    const last = this.#last;
    if (last !== null && last.fate === fate && last.topic === topic && last.day === day) {
      last.count += count;
      return;
    }
    const key = `${topic}|${day}|${fate}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = { topic, day, fate, count: 0 };
      this.#rows.set(key, row);
    }
    row.count += count;
    this.#changed.add(row);
    this.#last = row;
  }

  total(fate: Fate): number {
    let sum = 0;
    for (const row of this.#rows.values()) if (row.fate === fate) sum += row.count;
    return sum;
  }

  /** Rows changed since this was last called. */
  takeChanged(): readonly Tally[] {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#last = null;
    return changed;
  }
}
