// The page's questions to the warehouse: asked again while they may change, and at once when they do.
import { computed, effect, signal } from '@preact/signals';
import { API, type LiveHistory } from '../../../contracts/live.ts';
import { type Address, HOUR_MS, PERIODS } from './address.ts';
import { address } from './settings.ts';

const AGAIN_MS = 30_000;
/** Four weeks change slowly. */
const MONTH_AGAIN_MS = 300_000;
const MONTH_HOURS = 672;
const DAY_HOURS = 24;
const WEEK_HOURS = 168;
const TIMEOUT_MS = 10_000;

/** Whole hours are shown at the top instead of live windows. */
export const isLong = computed(() => PERIODS[address.value.period] === null);
/** The hours of the chosen period; of the last day while a shorter one is chosen. */
export const hours = signal<LiveHistory | null>(null);
/** What they are compared with. */
export const hoursBefore = signal<LiveHistory | null>(null);
export const month = signal<LiveHistory | null>(null);
export const warehouseDown = signal(false);

interface Questions {
  readonly hours: string;
  readonly before: string | null;
  readonly month: string;
}

function question(count: number, until: number | null, merchant: string | null): string {
  const query = new URLSearchParams({ hours: String(count) });
  if (until !== null) query.set('until', String(until));
  if (merchant !== null) query.set('customer_id', merchant);
  return `${API.history}?${query}`;
}

/** What an address asks for at a time (epoch ms, the server's). */
export function questionsOf({ period, from, to, compare, filter }: Address, now: number): Questions {
  const merchant = filter?.by === 'merchant' ? filter.of : null;
  const isCustom = period === 'custom';
  const count = isCustom ? (to - from) / HOUR_MS : DAY_HOURS;
  const until = isCustom ? to : (Math.floor(now / HOUR_MS) + 1) * HOUR_MS;
  const backHours = compare === 'weekday' ? Math.ceil(count / WEEK_HOURS) * WEEK_HOURS : count;
  return {
    hours: question(count, isCustom ? to : null, merchant),
    before: compare === 'none' ? null : question(count, until - backHours * HOUR_MS, merchant),
    month: question(MONTH_HOURS, null, merchant),
  };
}

let asked: Questions | null = null;
let monthAt = Number.NEGATIVE_INFINITY;

async function ask(url: string): Promise<LiveHistory> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(response.statusText);
  return (await response.json()) as LiveHistory;
}

/** Reads anew; answers to a question that is no longer asked are dropped. */
export async function readWarehouse(now: number): Promise<void> {
  const questions = questionsOf(address.peek(), now);
  const isNew = JSON.stringify(questions) !== JSON.stringify(asked);
  if (questions.month !== asked?.month) monthAt = Number.NEGATIVE_INFINITY;
  asked = questions;
  const withMonth = isNew || performance.now() - monthAt > MONTH_AGAIN_MS;
  try {
    const [newest, before, weeks] = await Promise.all([
      ask(questions.hours),
      questions.before === null ? null : ask(questions.before),
      withMonth ? ask(questions.month) : null,
    ]);
    if (asked !== questions) return;
    hours.value = newest;
    hoursBefore.value = before;
    if (weeks !== null) {
      month.value = weeks;
      monthAt = performance.now();
    }
    warehouseDown.value = false;
  } catch {
    if (asked === questions) warehouseDown.value = true;
  }
}

/** Goes on for as long as the page is open. */
export function followWarehouse(now: () => number): void {
  effect(() => {
    const next = questionsOf(address.value, now());
    if (
      asked === null ||
      next.hours !== asked.hours ||
      next.before !== asked.before ||
      next.month !== asked.month
    ) {
      void readWarehouse(now());
    }
  });
  setInterval(() => {
    if (!address.peek().paused && !document.hidden) void readWarehouse(now());
  }, AGAIN_MS);
}
