import type { StageHealth } from '../contracts/stage-health.ts';
import type { Clock } from './clock.ts';

/** Something that moves data from one store to the next. */
export interface Stage {
  readonly name: string;
  /**
   * Runs until the signal aborts, then finishes what it has in hand and resolves. A retryable fault (lib/retry.ts) is
   * thrown and the app calls `run` again after a pause: a stage can be run again after any throw, and goes on from
   * what is durable. Any other throw ends the process.
   */
  run(signal: AbortSignal): Promise<void>;
  /** What the stage says of itself now. Cheap, callable at any time. */
  health(): StageHealth;
}

/** The counts behind a stage's health, kept by the stage as it works. */
export interface StageCounts {
  lag: number | null;
  newestAt: number | null;
  processed: number;
  deadLetters: number;
  readonly figures: Record<string, number>;
}

export const stageCounts = (): StageCounts => ({
  lag: null,
  newestAt: null,
  processed: 0,
  deadLetters: 0,
  figures: {},
});

/** Health as of now from counts; state and errors are the app's to say (it runs and restarts the stages). */
export const healthOf = (
  stage: string,
  clock: Clock,
  counts: StageCounts,
  lagUnit: StageHealth['lag_unit'] = 'records',
): StageHealth => ({
  stage,
  state: 'running',
  at: clock.now(),
  lag: counts.lag,
  lag_unit: lagUnit,
  newest_at: counts.newestAt,
  processed: counts.processed,
  errors: 0,
  dead_letters: counts.deadLetters,
  last_error: null,
  figures: { ...counts.figures },
});
