import type { Clock } from '../../../lib/clock.ts';

/** An answer serves everyone who asks the same within this time. */
const CACHE_MS = 1_000;
const CACHE_MAX = 100;

/**
 * Whoever asks within CACHE_MS of an equal question (its values are the same) gets the same answer, the one under way
 * included. Rejects as `read` does; a failed answer is for those who wait for it, not for the next one.
 */
export function sharedAnswers<Q extends object, A>(
  read: (question: Q) => Promise<A>,
  clock: Clock,
): (question: Q) => Promise<A> {
  const cache = new Map<string, { readonly at: number; readonly answer: Promise<A> }>();
  return (question) => {
    const key = Object.values(question).join('/');
    const known = cache.get(key);
    if (known !== undefined && clock.now() - known.at < CACHE_MS) return known.answer;
    if (cache.size >= CACHE_MAX) cache.clear();
    const answer = read(question);
    cache.set(key, { at: clock.now(), answer });
    answer.catch(() => cache.delete(key));
    return answer;
  };
}
