import type { Clock } from '../../lib/clock.ts';

/** The shop's time: the present, or a simulated clock that starts in the past and runs until it meets the present. */
export interface ShopTime {
  now(): number;
  /** Seconds of shop time in a second: 1 when live. */
  speed(): number;
  isLive(): boolean;
  /** Moves a simulated clock back by so much real time; the present cannot be moved. */
  holdBack(realMs: number): void;
}

export interface ShopTimeOptions {
  readonly clockSpeed: number;
  /** Epoch ms; null: now, or, with a fast clock, 24 h ago. */
  readonly startAt: number | null;
}

const DAY_MS = 86_400_000;

/** Starts at once. It never runs ahead of `clock`, for the future has no place in the shop's books. */
export function shopTime(clock: Clock, { clockSpeed, startAt }: ShopTimeOptions): ShopTime {
  let realOrigin = clock.now();
  const origin = startAt ?? (clockSpeed > 1 ? realOrigin - DAY_MS : realOrigin);
  let live = false;
  const now = (): number => {
    const real = clock.now();
    const simulated = origin + (real - realOrigin) * clockSpeed;
    live ||= simulated >= real;
    return live ? real : simulated;
  };
  now();
  return {
    now,
    speed: () => (live ? 1 : clockSpeed),
    isLive: () => live,
    holdBack(realMs) {
      realOrigin += realMs;
    },
  };
}
