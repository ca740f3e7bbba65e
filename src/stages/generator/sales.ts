import type { Random } from '../../lib/random.ts';
import type { NewSale } from '../../stores/shop/shop.ts';
import * as figures from './figures.ts';
import type { Visit } from './market.ts';

/** What becomes of a sale later: a status it takes on at an instant. */
export interface FollowUp {
  readonly at: number;
  readonly from: string;
  readonly to: string;
}

export interface PlannedSale {
  readonly sale: NewSale;
  /** In order of time. */
  readonly followUps: readonly FollowUp[];
}

/** What is about to be bought, at list price. */
export interface Purchase extends Visit {
  readonly sessionId: string;
  readonly lines: readonly {
    readonly productId: number;
    readonly priceMinor: number;
    readonly quantity: number;
  }[];
}

/** Someone who knows what they want: 1 to `itemsMax` different products of the merchant's. */
export function directPurchase(random: Random, visit: Visit, sessionId: string): Purchase {
  const { profile, offer } = visit;
  const count = Math.min(random.int(1, profile.itemsMax), offer.products.length);
  const left = [...offer.products];
  const lines = Array.from({ length: count }, () => {
    const [product] = left.splice(random.int(0, left.length - 1), 1);
    const quantity = random.int(1, profile.quantityMax);
    return { productId: product!.productId, priceMinor: product!.priceMinor, quantity };
  });
  return { ...visit, sessionId, lines };
}

/** The sale of a purchase at an instant: discount, payment, status, and what becomes of it. */
export function sell(random: Random, purchase: Purchase, at: number): PlannedSale {
  const { buyerId, profile, offer, sessionId, lines } = purchase;
  const discounted = random.next() < figures.DISCOUNT_SHARE;
  const percentOff = discounted ? random.int(figures.DISCOUNT_MIN, figures.DISCOUNT_MAX) : 0;
  const items = lines.map(({ productId, priceMinor, quantity }) => ({
    productId,
    quantity,
    unitPriceMinor: Math.round((priceMinor * (100 - percentOff)) / 100),
  }));
  const status = firstStatus(random);
  return {
    sale: {
      buyerId,
      customerId: offer.customerId,
      at,
      totalMinor: items.reduce((sum, { unitPriceMinor, quantity }) => sum + unitPriceMinor * quantity, 0),
      currency: offer.currency,
      paymentMethod: random.pick(profile.paymentMethods),
      status,
      sessionId,
      items,
    },
    followUps: followUpsOf(random, status, at),
  };
}

function firstStatus(random: Random): string {
  const draw = random.next();
  if (draw < figures.FAILED_SHARE) return 'failed';
  return draw < figures.FAILED_SHARE + figures.PENDING_SHARE ? 'pending' : 'completed';
}

/** How a sale of this status goes on. */
export function followUpsOf(random: Random, status: string, at: number): readonly FollowUp[] {
  const after = ([from, to]: readonly [number, number], start: number) =>
    start + random.int(from * 1000, to * 1000);
  if (status === 'pending') {
    const settledAt = after(figures.PENDING_SECONDS, at);
    const completes = random.next() < figures.PENDING_COMPLETES_SHARE;
    const settled = { at: settledAt, from: 'pending', to: completes ? 'completed' : 'failed' };
    return [settled, ...followUpsOf(random, settled.to, settledAt)];
  }
  if (status !== 'completed' || random.next() >= figures.REFUND_SHARE) return [];
  return [{ at: after(figures.REFUND_SECONDS, at), from: 'completed', to: 'refunded' }];
}
