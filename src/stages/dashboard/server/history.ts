import type { LiveHistory, LiveHistoryHour } from '../../../contracts/live.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { HistoryPoint, Warehouse } from '../../../stores/warehouse/warehouse.ts';
import type { WholeHours } from './query.ts';
import { sharedAnswers } from './shared-answers.ts';

export const HOUR_MS = 3_600_000;

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
 * Whole hours (UTC) up to `until` from the warehouse's rollups, the running one included; shared by all who ask the
 * same. Rejects as the warehouse does.
 */
export function historyReader(warehouse: HistoryWarehouse, clock: Clock): History {
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

  return sharedAnswers(read, clock);
}
