import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';

/** A process that can be started again. */
export interface Restartable {
  readonly name: string;
  /** null: it does not run. */
  pid(): number | null;
  /** Resolves when it works again; rejects where it does not. */
  start(): Promise<void>;
}

export interface WatchOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** false: what has ended was stopped on purpose, perhaps by another program. */
  readonly isWanted: () => boolean;
  /** Ends it. */
  readonly signal: AbortSignal;
}

const LOOK_MS = 500;
const DELAY_MS_MAX = 30_000;
/** One that ran so long before it ended is started again at once. */
const STEADY_MS = 60_000;

/**
 * Starts each process again when it has ended, at once the first time, then after 1, 2, 4 … 30 s while it does not
 * stay. Resolves when the signal aborts; never rejects.
 */
export const watch = async (processes: readonly Restartable[], options: WatchOptions): Promise<void> => {
  await Promise.all(processes.map((process) => watchOne(process, options)));
};

async function watchOne(process: Restartable, { clock, log, isWanted, signal }: WatchOptions): Promise<void> {
  let tries = 0;
  let startedAt = clock.now();
  for (;;) {
    await clock.sleep(LOOK_MS, signal);
    if (signal.aborted) return;
    if (process.pid() !== null || !isWanted()) continue;
    if (clock.now() - startedAt > STEADY_MS) tries = 0;
    const delayMs = tries === 0 ? 0 : Math.min(1_000 * 2 ** (tries - 1), DELAY_MS_MAX);
    log.warn(`Spark's ${process.name} has ended; it is started again`, { delay_ms: delayMs });
    await clock.sleep(delayMs, signal);
    if (signal.aborted) return;
    if (!isWanted()) continue;
    tries++;
    await process.start().catch((error: Error) => {
      log.error(`Spark's ${process.name} does not start`, { error });
    });
    startedAt = clock.now();
  }
}
