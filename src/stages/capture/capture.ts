import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { healthOf, type Stage, stageCounts } from '../../lib/stage.ts';
import type { Broker } from '../../stores/broker/broker.ts';
import type { ChangeFeed, ShopDatabase } from '../../stores/shop/changes.ts';
import type { ShopNames } from '../../stores/shop/shop-names.ts';
import { captureDatabase, type DatabaseFigures } from './capture-database.ts';

export interface CaptureOptions {
  /** One per database. */
  readonly feeds: readonly ChangeFeed[];
  readonly names: ShopNames;
  readonly broker: Pick<Broker, 'append' | 'partitions' | 'read' | 'recordBytesMax'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the state is kept. */
  readonly dir: string;
  /** Of rows that name no currency. */
  readonly mainCurrency: string;
  /** Compare the tables with what was published, and go on from there, instead of from the feed's own place. */
  readonly resnapshot: boolean;
  /** How long the state remembers a sale that nothing happens to. */
  readonly retentionMs?: number;
}

const RETENTION_MS = 7 * 24 * 3_600_000;

/**
 * shop → transactions, user_behavior, searches, cart_events: every committed change, once, in commit order. A feed is
 * acknowledged only after its events are durable in the log and the state in `dir`; at start, what the newest record
 * of each partition says is published already is not published again.
 */
export function capture(options: CaptureOptions): Stage {
  const { feeds, clock, retentionMs = RETENTION_MS } = options;
  const counts = stageCounts();
  const figures = new Map<ShopDatabase, DatabaseFigures>();
  const resnapshot = new Set(options.resnapshot ? feeds.map(({ database }) => database) : []);

  const run = async (signal: AbortSignal) => {
    const failed = new AbortController();
    const until = AbortSignal.any([signal, failed.signal]);
    const work = feeds.map(async (feed) => {
      const report = (now: DatabaseFigures) => figures.set(feed.database, now);
      try {
        await captureDatabase({ ...options, resnapshot, retentionMs, feed, counts, report }, until);
      } catch (error) {
        failed.abort();
        throw error;
      }
    });
    const results = await Promise.allSettled(work);
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  };

  const health = () => {
    for (const [database, now] of figures) {
      for (const [name, value] of Object.entries(now)) counts.figures[`${database}_${name}`] = value;
    }
    counts.lag = [...figures.values()].reduce((sum, { behind }) => sum + behind, 0);
    return healthOf('capture', clock, counts, 'bytes');
  };
  return { name: 'capture', run, health };
}
