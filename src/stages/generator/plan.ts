// What happens next in the shop: a pure sequence, fixed by its source of randomness. No input, no output, no clock.
import type { Random } from '../../lib/random.ts';
import type { Catalogue, NewInteraction, ProductChange } from '../../stores/shop/shop.ts';
import { busyness } from './curve.ts';
import { JITTER, SALE_SHARE } from './figures.ts';
import { openMarket } from './market.ts';
import { directPurchase, type PlannedSale, sell } from './sales.ts';
import { openSessions } from './sessions.ts';

/** What falls due in a stretch of time, each list in order of time. */
export interface Batch {
  readonly sales: PlannedSale[];
  readonly interactions: NewInteraction[];
  /** Each product once, with its newest name and price. */
  readonly products: ReadonlyMap<number, ProductChange>;
}

export interface PlanOptions {
  readonly random: Random;
  readonly catalogue: Catalogue;
  /** Epoch ms of shop time; the first activity comes one interval later. */
  readonly startAt: number;
  /** Per second of shop time; with the curve, the week's mean. */
  readonly salesPerSecond: number;
  /** Whether hour, weekday and season shape the rate. */
  readonly curve: boolean;
}

export interface Plan {
  /** When the next activity is due. */
  readonly nextAt: number;
  /** The activities due by `until`, at most `activitiesMax`. */
  take(until: number, activitiesMax: number): Batch;
  /** Sales wanted a second at an instant of shop time. */
  wanted(at: number): number;
  /** The next activity comes no earlier than this: what would have been due before is never planned. */
  skipTo(at: number): void;
}

/** A product changes its price about every 20 s. */
const PRODUCT_CHANGE_MS = 20_000;

/** Plans the shop's activities. The same options give the same sequence, however it is cut into batches. */
export function planActivities(options: PlanOptions): Plan {
  const { catalogue, startAt, salesPerSecond, curve } = options;
  const draw = (name: string) => options.random.fork(name);
  const [arrivals, kinds, sales, changes] = [
    draw('arrivals'),
    draw('kinds'),
    draw('sales'),
    draw('products'),
  ];
  const market = openMarket(catalogue);
  // No session of an earlier run has this number: each left at least one row.
  let session = catalogue.lastTransactionId + catalogue.lastInteractionId;
  const nextSessionId = () => `s-${(++session).toString(16).padStart(12, '0')}`;
  const sessions = openSessions(draw('sessions'), market, nextSessionId);

  const wanted = (at: number) => salesPerSecond * (curve ? busyness(at) : 1);
  const after = (at: number) => {
    const meanMs = (1000 * SALE_SHARE) / wanted(at);
    return at + meanMs * (1 + JITTER * (2 * arrivals.next() - 1));
  };
  let nextAt = after(startAt);
  let nextChangeAt = startAt + PRODUCT_CHANGE_MS;

  const saleAt = (at: number): PlannedSale =>
    sell(sales, sessions.purchase() ?? directPurchase(sales, market.visit(sales), nextSessionId()), at);

  return {
    get nextAt() {
      return nextAt;
    },
    take(until, activitiesMax) {
      const products = new Map<number, ProductChange>();
      const batch = { sales: [] as PlannedSale[], interactions: [] as NewInteraction[], products };
      for (let taken = 0; taken < activitiesMax && nextAt <= until; taken++) {
        for (; nextChangeAt <= nextAt; nextChangeAt += PRODUCT_CHANGE_MS) {
          const change = market.change(changes);
          products.set(change.productId, change);
        }
        const at = Math.round(nextAt);
        if (kinds.next() < SALE_SHARE) batch.sales.push(saleAt(at));
        else batch.interactions.push(sessions.step(at));
        nextAt = after(nextAt);
      }
      return batch;
    },
    wanted,
    skipTo(at) {
      nextAt = Math.max(nextAt, at);
      nextChangeAt = Math.max(nextChangeAt, at);
    },
  };
}
