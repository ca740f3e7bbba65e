// How often something may be done by one of many: a bucket of tokens each, full again after a while.
import type { Clock } from '../../../../lib/clock.ts';

export interface RateLimitOptions {
  /** Tokens that come back each second. */
  readonly perSecond: number;
  /** Tokens of a full bucket. */
  readonly burst: number;
  /** Buckets kept: that of whoever was away longest goes first, and is full then. */
  readonly keysMax?: number;
  readonly clock: Clock;
}

export interface RateLimit {
  /** Seconds until there is a token, whole ones, rounded up; 0: there is one. Takes none. */
  waitS(key: string): number;
  /** Takes a token, if there is one. */
  take(key: string): void;
  /** Gives one back. */
  giveBack(key: string): void;
  /** Buckets kept now. */
  size(): number;
}

const KEYS_MAX = 10_000;

export function rateLimit({ perSecond, burst, keysMax = KEYS_MAX, clock }: RateLimitOptions): RateLimit {
  const buckets = new Map<string, { readonly tokens: number; readonly at: number }>();

  const tokensOf = (key: string): number => {
    const known = buckets.get(key);
    if (known === undefined) return burst;
    // A clock that was set back brings nothing, and takes nothing.
    const passedMs = Math.max(0, clock.now() - known.at);
    return Math.min(burst, known.tokens + (passedMs / 1_000) * perSecond);
  };

  const put = (key: string, tokens: number): void => {
    buckets.delete(key);
    if (tokens >= burst) return;
    buckets.set(key, { tokens, at: clock.now() });
    if (buckets.size > keysMax) buckets.delete(buckets.keys().next().value!);
  };

  return {
    waitS(key) {
      const tokens = tokensOf(key);
      return tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - tokens) / perSecond));
    },
    take: (key) => put(key, Math.max(0, tokensOf(key) - 1)),
    giveBack: (key) => put(key, tokensOf(key) + 1),
    size: () => buckets.size,
  };
}
