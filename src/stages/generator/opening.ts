import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Random } from '../../lib/random.ts';
import type { Shop } from '../../stores/shop/shop.ts';
import { newShop, type ShopSize } from './catalogue.ts';
import { DEFAULT_SALES_PER_SECOND } from './figures.ts';
import { type FollowUps, followUpQueue } from './follow-ups.ts';
import { type Plan, planActivities } from './plan.ts';
import { followUpsOf } from './sales.ts';
import { type ShopTime, type ShopTimeOptions, shopTime } from './shop-time.ts';

export interface GeneratorOptions extends ShopSize, ShopTimeOptions {
  /** Per second of shop time, behaviours come along 70 to 30; with the curve, the week's mean. */
  readonly salesPerSecond: number;
  /** Whether hour, weekday and season (UTC) shape the rate. */
  readonly curve: boolean;
}

/** The original's figures. */
export const GENERATOR_DEFAULTS: GeneratorOptions = {
  customers: 50,
  buyers: 100,
  products: 200,
  salesPerSecond: DEFAULT_SALES_PER_SECOND,
  curve: false,
  clockSpeed: 1,
  startAt: null,
};

export interface GeneratorParts {
  readonly shop: Shop;
  readonly clock: Clock;
  /** Decides everything: the same one gives the same shop and the same activities on an empty database. */
  readonly random: Random;
  readonly log: Log;
  readonly options: GeneratorOptions;
}

export interface OpenShop {
  readonly time: ShopTime;
  readonly plan: Plan;
  readonly followUps: FollowUps;
}

/** Sales of an earlier run that are taken up again. */
const PENDING_MAX = 10_000;

/** Fills the shop if it is empty, and starts its clock. Sales that an earlier run left pending are settled. */
export async function openForBusiness(parts: GeneratorParts): Promise<OpenShop> {
  const { shop, clock, random, log, options } = parts;
  const { customers, buyers, products, salesPerSecond, curve } = options;
  if (await shop.open(newShop(random.fork('catalogue'), options))) {
    log.info('filled an empty shop', { customers, buyers, products });
  }
  const catalogue = await shop.catalogue();
  const { lastTransactionId, lastInteractionId } = catalogue;
  const isNew = lastTransactionId === 0 && lastInteractionId === 0;
  // A shop with a past goes on with something new instead of living its first days again.
  const ours = random.fork(isNew ? 'new' : `after ${lastTransactionId}, ${lastInteractionId}`);
  const pending = await shop.pendingSales(PENDING_MAX);
  const time = shopTime(clock, options);
  const startAt = time.now();
  const followUps = followUpQueue(startAt);
  const settling = ours.fork('pending');
  for (const id of pending) followUps.add(id, followUpsOf(settling, 'pending', startAt));
  return {
    time,
    followUps,
    plan: planActivities({ random: ours, catalogue, startAt, salesPerSecond, curve }),
  };
}
