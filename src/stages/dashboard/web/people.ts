// The page's question about people: asked again while the answer may change, and at once when it is another one.
import { computed, effect, signal } from '@preact/signals';
import { API } from '../../../contracts/live.ts';
import type { LivePeople, LivePeopleFigures } from '../../../contracts/people.ts';
import { type Address, HOUR_MS, PERIODS } from './address.ts';
import { address } from './settings.ts';

const AGAIN_MS = 5_000;
const LONG_AGAIN_MS = 30_000;
/** Different questions wait for each other in the server. */
const TIMEOUT_MS = 60_000;
const DAY_HOURS = 24;

/** The answer to what is chosen; null before it comes. */
export const people = signal<LivePeople | null>(null);
export const peopleDown = signal(false);

/** What an address asks for. */
export function peopleQuestion({ period, from, to, compare, filter }: Address): string {
  const seconds = PERIODS[period];
  const query = new URLSearchParams(seconds === null ? {} : { period: String(seconds) });
  if (seconds === null) {
    query.set('hours', String(period === 'custom' ? (to - from) / HOUR_MS : DAY_HOURS));
    if (period === 'custom') query.set('until', String(to));
  }
  if (compare !== 'previous') query.set('compare', compare);
  if (filter?.by === 'merchant') query.set('customer_id', filter.of);
  return `${API.people}?${query}`;
}

const question = computed(() => peopleQuestion(address.value));
let timer: ReturnType<typeof setTimeout> | undefined;

/** Reads anew; an answer to a question that is no longer asked is dropped. */
export async function readPeople(): Promise<void> {
  clearTimeout(timer);
  const asked = question.peek();
  let answer: LivePeople | null = null;
  try {
    const response = await fetch(asked, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) answer = (await response.json()) as LivePeople;
  } catch {
    // As an answer that is none.
  }
  if (asked !== question.peek()) return;
  peopleDown.value = answer === null;
  if (answer !== null) people.value = answer;
  clearTimeout(timer);
  timer = setTimeout(
    () => (address.peek().paused || document.hidden ? undefined : readPeople()),
    asked.includes('hours=') ? LONG_AGAIN_MS : AGAIN_MS,
  );
}

/** Goes on for as long as the page is open: whoever ends a pause reads anew. */
export function followPeople(): void {
  effect(() => {
    void question.value;
    people.value = null;
    void readPeople();
  });
}

/** Whether what it is compared with lies in the time that the warehouse knows. */
export const knownBefore = ({ before, known_from }: LivePeople): LivePeopleFigures | null =>
  before !== null && known_from !== null && known_from <= before.from ? before : null;
