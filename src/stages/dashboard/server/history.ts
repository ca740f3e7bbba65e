import type { LiveHistory, LiveHistoryHour } from '../../../contracts/live.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { HistoryPoint, Warehouse } from '../../../stores/warehouse/warehouse.ts';
import type { WholeHours } from './query.ts';

export const HOUR_MS = 3_600_000;
/** An answer serves everyone who asks the same within this time. */
const CACHE_MS = 1_000;
const CACHE_MAX = 100;

export type HistoryWarehouse = Pick<Warehouse, 'history' | 'activity' | 'totals'>;
export type History = (question: WholeHours) => Promise<LiveHistory>;

/** As the page is told of it. */
export const liveHour = (point: HistoryPoint): LiveHistoryHour => ({
  hour: point.hour,
  currency: point.currency,
  completed: point.completed,
  gross_minor: point.grossMinor,
  reversals: point.reversals,
  reversals_minor: point.reversalsMinor,
  pending: point.pending,
  failed: point.failed,
  refunded: point.refunded,
});

/**
 * Whole hours (UTC) up to `until` from the warehouse's rollups, the running one included. Whoever asks while an equal
 * question is under way, or within CACHE_MS of it, gets the same answer. Rejects as the warehouse does.
 */
export function historyReader(warehouse: HistoryWarehouse, clock: Clock): History {
  const cache = new Map<string, { readonly at: number; readonly answer: Promise<LiveHistory> }>();

  const read = async ({ hours, until, customerId }: WholeHours): Promise<LiveHistory> => {
    const to = Math.ceil((until ?? clock.now() + 1) / HOUR_MS) * HOUR_MS;
    const from = to - hours * HOUR_MS;
    const [points, activity, totals] = await Promise.all([
      customerId === null ? warehouse.history(from, to) : warehouse.history(from, to, customerId),
      warehouse.activity(from, to),
      warehouse.totals(),
    ]);
    return {
      server_time: clock.now(),
      from,
      to,
      customer_id: customerId,
      known_from: totals.firstEventAt,
      hours: points.map(liveHour),
      activity: activity.map(({ hour, eventType, events }) => ({ hour, event_type: eventType, events })),
      totals: {
        events: totals.events,
        transactions: totals.transactions,
        behaviors: totals.behaviors,
        customers: totals.customers,
        active_days: totals.activeDays,
        first_event_at: totals.firstEventAt,
        last_event_at: totals.lastEventAt,
      },
    };
  };

  return (question) => {
    const key = Object.values(question).join('/');
    const known = cache.get(key);
    if (known !== undefined && clock.now() - known.at < CACHE_MS) return known.answer;
    if (cache.size >= CACHE_MAX) cache.clear();
    const answer = read(question);
    cache.set(key, { at: clock.now(), answer });
    // A failed answer is for those who wait for it, not for the next one.
    answer.catch(() => cache.delete(key));
    return answer;
  };
}
