// People of the chosen period, read from the warehouse for all viewers at once.
import { LIVE_PERIODS_S, LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import {
  type LivePeople,
  type LivePeopleFigures,
  PEOPLE_NOW_MS,
  VIEWS_MAX,
} from '../../../contracts/people.ts';
import type { Clock } from '../../../lib/clock.ts';
import { turns } from '../../../lib/turns.ts';
import type { People, Warehouse } from '../../../stores/warehouse/warehouse.ts';
import { HOUR_MS } from './history.ts';
import { type Query, unknownName, type WholeHours, wholeHours } from './query.ts';

const WEEK_HOURS = 168;
/** An answer serves everyone who asks the same within this time. */
const CACHE_MS = 4_500;
const CACHE_MAX = 100;
/** A question that takes long is asked more seldom: it has this share of the time at most. */
const SHARE_MAX = 1 / 10;
/** Questions are asked one after the other; so many may wait. */
const WAITING_MAX = 20;

const COMPARES = ['previous', 'weekday', 'none'] as const;

export interface PeopleQuestion extends WholeHours {
  /** Live windows up to now, in place of `hours`; null: whole hours. */
  readonly periodS: number | null;
  /** `weekday` (whole hours only): as many weeks earlier as the range is long. */
  readonly compare: (typeof COMPARES)[number];
}

/** The query of /api/v1/people, or what is wrong with it. */
export function peopleQuery(query: Readonly<Query>): PeopleQuestion | string {
  const wrong = unknownName(query, ['period', 'hours', 'until', 'customer_id', 'compare']);
  if (wrong !== undefined) return wrong;
  const { period, compare: compared = 'previous', ...rest } = query;
  if (period !== undefined && (rest['hours'] ?? rest['until']) !== undefined)
    return 'period is of live windows, hours and until are of whole hours: use one of them.';
  const periodS = period === undefined ? null : LIVE_PERIODS_S.find((each) => String(each) === period);
  if (periodS === undefined) return `period must be one of ${LIVE_PERIODS_S.join(', ')} (seconds).`;
  const compare = COMPARES.find((each) => each === compared);
  if (compare === undefined) return `compare must be one of ${COMPARES.join(', ')}.`;
  const hours = wholeHours(rest);
  return typeof hours === 'string' ? hours : { ...hours, periodS, compare };
}

type Range = readonly [from: number, to: number];

/** The range of a question at `nowMs`, and that before it: both as long, however far the period has come. */
export function rangesOf(
  { periodS, hours, until, compare }: PeopleQuestion,
  nowMs: number,
): { readonly period: Range; readonly before: Range | null } {
  const lengthMs = periodS === null ? hours * HOUR_MS : periodS * 1_000;
  const unitMs = periodS === null ? HOUR_MS : LIVE_WINDOW_MS;
  const end = Math.ceil((until ?? nowMs + 1) / unitMs) * unitMs;
  const from = end - lengthMs;
  const to = Math.max(from, Math.min(end, nowMs));
  if (compare === 'none') return { period: [from, to], before: null };
  const isWeekday = compare === 'weekday' && periodS === null;
  const backMs = isWeekday ? Math.ceil(hours / WEEK_HOURS) * WEEK_HOURS * HOUR_MS : lengthMs;
  return { period: [from, to], before: [from - backMs, to - backMs] };
}

const figuresOf = ([from, to]: Range, people: People): LivePeopleFigures => ({
  from,
  to,
  sessions: people.sessions,
  viewed: people.viewed,
  carted: people.carted,
  checked_out: people.checkedOut,
  bought: people.bought,
  carted_of_viewed: people.cartedOfViewed,
  checked_out_of_carted: people.checkedOutOfCarted,
  bought_of_checked_out: people.boughtOfCheckedOut,
  money: people.money.map((money) => ({
    currency: money.currency,
    cart_minor: money.cartMinor,
    checkout_minor: money.checkoutMinor,
    bought_minor: money.boughtMinor,
    bought_of_checked_out_minor: money.boughtOfCheckedOutMinor,
    abandoned: money.abandoned,
    abandoned_minor: money.abandonedMinor,
  })),
  sessionless_sales: people.sessionlessSales,
  buyers: people.buyers,
  new_buyers: people.newBuyers,
});

export type PeopleWarehouse = Pick<Warehouse, 'people' | 'productViews' | 'totals'>;
export type PeopleReader = (question: PeopleQuestion) => Promise<LivePeople>;

export interface PeopleOptions {
  readonly warehouse: PeopleWarehouse;
  readonly clock: Clock;
  /** Where the shop's time stands, epoch ms: a simulated shop has a clock of its own. */
  readonly shopNow: () => number;
}

/**
 * Answers are shared by all who ask the same, for CACHE_MS, or longer where reading takes long; different questions
 * wait for each other. Rejects as the warehouse does, and at once when too many wait.
 */
export function peopleReader({ warehouse, clock, shopNow }: PeopleOptions): PeopleReader {
  const cache = new Map<string, { until: number; readonly answer: Promise<LivePeople> }>();
  const queue = turns();

  const read = async (question: PeopleQuestion): Promise<LivePeople> => {
    const since = clock.now();
    const shopMs = shopNow();
    const nowMs = question.periodS === null ? since : shopMs;
    const customerId = question.customerId ?? undefined;
    const { period, before } = rangesOf(question, nowMs);
    const people = async (range: Range) => figuresOf(range, await warehouse.people(...range, customerId));
    // One after the other: the loader needs the server too.
    const { from, to, sessions, buyers } = await people([shopMs - PEOPLE_NOW_MS, shopMs]);
    const answer = {
      customer_id: question.customerId,
      now: { from, to, sessions, buyers },
      period: await people(period),
      before: before === null ? null : await people(before),
      known_from: (await warehouse.totals()).firstEventAt,
      views: (await warehouse.productViews(...period, VIEWS_MAX, customerId)).map(({ productId, views }) => ({
        product_id: productId,
        views,
      })),
    };
    return { server_time: clock.now(), took_ms: clock.now() - since, ...answer };
  };

  const inTurn = (question: PeopleQuestion): Promise<LivePeople> => {
    if (queue.waiting() >= WAITING_MAX)
      return Promise.reject(new Error(`${queue.waiting()} questions about people wait already`));
    return queue.take(() => read(question));
  };

  return (question) => {
    const key = Object.values(question).join('/');
    const known = cache.get(key);
    if (known !== undefined && clock.now() < known.until) return known.answer;
    if (cache.size >= CACHE_MAX) cache.clear();
    const entry = { until: Number.POSITIVE_INFINITY, answer: inTurn(question) };
    cache.set(key, entry);
    entry.answer.then(
      ({ server_time, took_ms }) => {
        entry.until = server_time + Math.max(CACHE_MS, took_ms / SHARE_MAX);
      },
      // A failed answer is for those who wait for it, not for the next one.
      () => cache.delete(key),
    );
    return entry.answer;
  };
}
