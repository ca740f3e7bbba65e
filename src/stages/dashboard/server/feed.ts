// The latest sales, for all viewers at once, and without telling whose they are.
import { FEED_MAX, type LiveFeed } from '../../../contracts/feed.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Warehouse } from '../../../stores/warehouse/warehouse.ts';
import { type Query, unknownName, wholeNumber } from './query.ts';
import { sharedAnswers } from './shared-answers.ts';

/** So many digits of a buyer's number are told. */
const TOLD_DIGITS = 2;

export type FeedWarehouse = Pick<Warehouse, 'latestSales'>;
export interface FeedQuestion {
  readonly customerId: number | null;
}

/** The query of /api/v1/feed, or what is wrong with it. */
export function feedQuery(query: Readonly<Query>): FeedQuestion | string {
  const wrong = unknownName(query, ['customer_id']);
  if (wrong !== undefined) return wrong;
  const named = query['customer_id'];
  const customerId = named === undefined ? null : wholeNumber(named, 1, Number.MAX_SAFE_INTEGER);
  return customerId === undefined ? 'customer_id must be a whole number from 1.' : { customerId };
}

/** Rejects as the warehouse does. */
export function feedReader(
  warehouse: FeedWarehouse,
  clock: Clock,
): (question: FeedQuestion) => Promise<LiveFeed> {
  const read = async ({ customerId }: FeedQuestion): Promise<LiveFeed> => {
    const sales = await warehouse.latestSales(FEED_MAX, customerId ?? undefined);
    return {
      server_time: clock.now(),
      sales: sales.map((sale) => ({
        at: sale.at,
        merchant: sale.customerName,
        buyer:
          sale.buyerId === null
            ? null
            : `…${String(sale.buyerId).padStart(TOLD_DIGITS, '0').slice(-TOLD_DIGITS)}`,
        payment_method: sale.paymentMethod,
        amount_minor: sale.amountMinor,
        currency: sale.currency,
      })),
    };
  };

  return sharedAnswers(read, clock);
}
