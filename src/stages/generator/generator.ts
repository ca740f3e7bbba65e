import { healthOf, type Stage, stageCounts } from '../../lib/stage.ts';
import type { StatusChange } from '../../stores/shop/shop.ts';
import { SALE_SHARE } from './figures.ts';
import { rateMeter } from './meter.ts';
import { type GeneratorParts, type OpenShop, openForBusiness } from './opening.ts';
import { writeBatch } from './writing.ts';

export { GENERATOR_DEFAULTS, type GeneratorOptions, type GeneratorParts } from './opening.ts';

/** Shortest time between two batches. */
const TICK_MS = 20;
/** Longest sleep: so often follow-ups of sales are looked at. */
const SLEEP_MS_MAX = 1_000;
/** A batch is one statement a database; a larger one is no faster. */
const ACTIVITIES_MAX = 2_000;
/** How far the writing may fall behind the clock; what is due beyond that is skipped and counted. */
const BEHIND_MS_MAX = 2_000;
const WARN_EACH_MS = 10_000;

/**
 * The shop's visitors and buyers. Activities fall due by the clock, whatever the database does (open loop). If it
 * cannot take the wanted rate, the stage catches up within 2 s or skips, and says so in its log and its health:
 * figures wanted_sales_per_second, achieved_sales_per_second, behind_ms, skipped_sales. A simulated clock is held back
 * instead, so that its history has no holes (held_back_ms). After a fault the sales and visits in hand are given up:
 * they may or may not be in the shop.
 */
export function generator(parts: GeneratorParts): Stage {
  const { shop, clock, log } = parts;
  const counts = stageCounts();
  const achieved = rateMeter(clock);
  const lost: Lost = { sales: 0, heldBackMs: 0 };
  let open: OpenShop | null = null;
  /** Taken and not known to be written: making them twice does no harm. */
  let changes: readonly StatusChange[] = [];
  let warnedAt = Number.NEGATIVE_INFINITY;

  const report = ({ time, plan, followUps }: OpenShop): number => {
    const now = time.now();
    const behindMs = Math.max(0, (now - plan.nextAt) / time.speed());
    const wanted = plan.wanted(now) * time.speed();
    counts.lag = Math.round(((behindMs / 1000) * wanted) / SALE_SHARE);
    Object.assign(counts.figures, {
      wanted_sales_per_second: wanted,
      achieved_sales_per_second: achieved.perSecond(counts.figures['sales'] ?? 0),
      behind_ms: Math.round(behindMs),
      skipped_sales: Math.round(lost.sales),
      held_back_ms: Math.round(lost.heldBackMs),
      follow_ups_waiting: followUps.waiting,
      follow_ups_dropped: followUps.dropped,
    });
    return behindMs;
  };

  const warn = (): void => {
    if (clock.now() - warnedAt < WARN_EACH_MS) return;
    warnedAt = clock.now();
    log.warn('the shop cannot hold the wanted rate', counts.figures);
  };

  return {
    name: 'generator',
    async run(signal) {
      open ??= await openForBusiness(parts);
      const { time, plan, followUps } = open;
      while (!signal.aborted) {
        const startedAt = clock.now();
        if (shed(open, report(open), lost)) warn();
        const now = time.now();
        const batch = plan.take(now, ACTIVITIES_MAX);
        if (changes.length === 0) changes = followUps.take(Math.min(now, plan.nextAt));
        await writeBatch(shop, batch, changes, followUps, counts);
        changes = [];
        const dueMs = Math.min((plan.nextAt - time.now()) / time.speed(), SLEEP_MS_MAX);
        await clock.sleep(Math.max(dueMs, TICK_MS - (clock.now() - startedAt), 0), signal);
      }
    },
    health() {
      if (open) report(open);
      return healthOf('generator', clock, counts);
    },
  };
}

interface Lost {
  sales: number;
  heldBackMs: number;
}

/** Gives up what cannot be written in time, and tells whether there was any. */
function shed({ time, plan }: OpenShop, behindMs: number, lost: Lost): boolean {
  const excessMs = behindMs - BEHIND_MS_MAX;
  if (excessMs <= 0) return false;
  if (time.isLive()) {
    lost.sales += (excessMs / 1000) * plan.wanted(time.now());
    plan.skipTo(time.now() - BEHIND_MS_MAX);
  } else {
    lost.heldBackMs += excessMs;
    time.holdBack(excessMs);
  }
  return true;
}
