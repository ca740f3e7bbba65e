import type { Clock } from '../../src/lib/clock.ts';

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #now: number;
  readonly #sleeping = new Set<{ readonly until: number; readonly wake: () => void }>();

  constructor(now = 1_795_517_580_000) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const sleeper = {
        until: this.#now + delayMs,
        wake: () => {
          this.#sleeping.delete(sleeper);
          signal?.removeEventListener('abort', sleeper.wake);
          resolve();
        },
      };
      signal?.addEventListener('abort', sleeper.wake);
      this.#sleeping.add(sleeper);
    });
  }

  /** Moves the time and wakes whoever is due; resolves when what that caused at once is done. */
  async advance(ms: number): Promise<void> {
    this.#now += ms;
    for (const sleeper of [...this.#sleeping]) if (sleeper.until <= this.#now) sleeper.wake();
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
}
