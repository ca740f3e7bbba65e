import { type Clock, systemClock } from '../../../lib/clock.ts';

/** A clock that runs on, and can be moved. A sleep takes its own time, or `sleepMsMax` if that is less. */
export function aheadClock(sleepMsMax = Number.POSITIVE_INFINITY): { clock: Clock; pass(ms: number): void } {
  let ahead = 0;
  return {
    clock: {
      now: () => systemClock.now() + ahead,
      sleep: (ms, signal) => systemClock.sleep(Math.min(ms, sleepMsMax), signal),
    },
    pass(ms) {
      ahead += ms;
    },
  };
}
