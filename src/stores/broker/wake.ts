/** Where readers of this process wait for news. */
export class Wake {
  readonly #waiting = new Set<() => void>();

  /** Wakes all who wait now. */
  all(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next `all`, or when the signal aborts. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = () => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

/** Lets whatever else is due run: resolves in the next turn of the event loop. */
export const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
