import type { StageHealth } from '../contracts/stage-health.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { isRetryable } from '../lib/retry.ts';
import { healthOf, type Stage, stageCounts } from '../lib/stage.ts';

const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 5_000;
/** A stage that ran for so long was well: the next fault is a first one. */
const WELL_AFTER_MS = 10_000;
/** After a fault, a stage is called running when it has run for so long: before, it may meet the same fault again. */
const RECOVERED_AFTER_MS = 3_000;
const ERROR_CHARS_MAX = 300;

export interface Supervised {
  readonly name: string;
  /** Address of what the stage serves, null where it serves nothing now. */
  url(): string | null;
  /** Runs the stage again and again until it is stopped. Rejects with a fault that does not pass by itself. */
  run(): Promise<void>;
  /** Asks the stage to finish what it has in hand; `run` resolves when it has. */
  stop(): void;
  health(): StageHealth;
}

/** Keeps one stage running. `make` makes it when its stores are there, so a server that is away is waited for. */
export function supervise<S extends Stage & { url?(): string | null }>(
  name: string,
  make: () => Promise<S>,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Supervised {
  const stopping = new AbortController();
  const { signal } = stopping;
  let stage: S | null = null;
  let state: StageHealth['state'] = 'starting';
  let errors = 0;
  let lastError: string | null = null;
  let failures = 0;
  let runningSince = 0;

  const once = async (): Promise<void> => {
    stage ??= await make();
    if (signal.aborted) return;
    state = 'running';
    runningSince = clock.now();
    await stage.run(signal);
  };

  const pause = async (error: unknown, ranMs: number): Promise<void> => {
    errors += 1;
    lastError = (error instanceof Error ? error.message : String(error)).slice(0, ERROR_CHARS_MAX);
    if (!isRetryable(error)) {
      state = 'failed';
      throw error;
    }
    failures = ranMs >= WELL_AFTER_MS ? 1 : failures + 1;
    state = 'retrying';
    const delayMs = Math.min(DELAY_MS_MIN * 2 ** (failures - 1), DELAY_MS_MAX);
    log.warn('a passing fault, trying again', { error: lastError, in_ms: delayMs });
    await clock.sleep(delayMs, signal);
  };

  const shownState = (own: StageHealth['state'] | undefined): StageHealth['state'] => {
    if (state !== 'running') return state;
    if (own === 'standby') return own;
    return failures > 0 && clock.now() - runningSince < RECOVERED_AFTER_MS ? 'retrying' : state;
  };

  return {
    name,
    url: () => stage?.url?.() ?? null,
    async run() {
      while (!signal.aborted) {
        const startedAt = clock.now();
        try {
          await once();
          // A stage ends only when it is told to.
          if (!signal.aborted) throw new Error(`stage ${name} ended unasked`);
        } catch (error) {
          if (signal.aborted && isRetryable(error)) break;
          await pause(error, clock.now() - startedAt);
        }
      }
      state = 'stopped';
    },
    stop: () => stopping.abort(),
    health: () => {
      const own = stage?.health();
      return {
        ...(own ?? healthOf(name, clock, stageCounts())),
        state: shownState(own?.state),
        errors,
        last_error: lastError,
      };
    },
  };
}
