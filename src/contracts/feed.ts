/** A sale that became completed. Whose it was is not told: only the end of the buyer's number. */
export interface LiveSale {
  /** When it became completed, epoch ms. */
  readonly at: number;
  readonly merchant: string | null;
  /** `…42`; null where the shop named no buyer. */
  readonly buyer: string | null;
  readonly payment_method: string | null;
  readonly amount_minor: number;
  readonly currency: string;
}

/** `/api/v1/feed`: the newest FEED_MAX, newest first; one merchant's with `customer_id`. */
export interface LiveFeed {
  readonly server_time: number;
  readonly sales: readonly LiveSale[];
}
export const FEED_MAX = 12;
