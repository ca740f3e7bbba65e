const KEPT_MAX = 10_000;

/** Which dead letters were replayed already (`dead_letters/partition/offset`); the newest of them, a bounded number. */
export class Replays {
  readonly #seen: Set<string>;

  constructor(state: readonly string[] = []) {
    this.#seen = new Set(state);
  }

  /** Whether it was not seen before; from now on it was. */
  isNew(id: string): boolean {
    if (this.#seen.has(id)) return false;
    if (this.#seen.size === KEPT_MAX) {
      const [oldest] = this.#seen;
      this.#seen.delete(oldest!);
    }
    this.#seen.add(id);
    return true;
  }

  export(): readonly string[] {
    return [...this.#seen];
  }
}
