import type { Clock } from '../../lib/clock.ts';

/** How fast a growing total has grown lately. */
export interface RateMeter {
  /** A second, over the last 5 to 10 s (at first: since the start). Call it at least so often. */
  perSecond(total: number): number;
}

const SPAN_MS = 5_000;

export function rateMeter(clock: Clock): RateMeter {
  let from = { at: clock.now(), total: 0 };
  let next = from;
  return {
    perSecond(total) {
      const at = clock.now();
      if (at - next.at >= SPAN_MS) {
        from = next;
        next = { at, total };
      }
      return at > from.at ? ((total - from.total) * 1000) / (at - from.at) : 0;
    },
  };
}
