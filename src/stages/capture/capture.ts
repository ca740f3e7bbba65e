import type { Topic } from '../../contracts/topics.ts';
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
  readonly broker: Pick<Broker, 'claim' | 'partitions' | 'read' | 'recordBytesMax'>;
  /** CAPTURE_STATE_TOPIC where another capture may take over; null: the state is in `dir` alone. Default null. */
  readonly stateTopic?: Topic | null;
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
 * of each partition says is published already is not published again. Of several captures one works on a database, and
 * another takes over from it when it ends or is frozen.
 */
export function capture(options: CaptureOptions): Stage {
  const { feeds, clock, retentionMs = RETENTION_MS, stateTopic = null } = options;
  const counts = stageCounts();
  const figures = new Map<ShopDatabase, DatabaseFigures>();
  const waiting = new Set<ShopDatabase>();
  const resnapshot = new Set(options.resnapshot ? feeds.map(({ database }) => database) : []);

  const run = async (signal: AbortSignal) => {
    const failed = new AbortController();
    const until = AbortSignal.any([signal, failed.signal]);
    const work = feeds.map(async (feed) => {
      const report = (now: DatabaseFigures) => figures.set(feed.database, now);
      try {
        await captureDatabase(
          { ...options, stateTopic, resnapshot, retentionMs, feed, counts, report, waiting },
          until,
        );
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
    const health = healthOf('capture', clock, counts, 'bytes');
    return waiting.size === feeds.length ? { ...health, state: 'standby' as const } : health;
  };
  return { name: 'capture', run, health };
}
