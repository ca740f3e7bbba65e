// The embedded profile: PostgreSQL from npm (or an existing one), the log and the metrics store as SQLite files.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { metricsStage } from '../../stages/metrics/embedded/stage.ts';
import { sqliteBroker } from '../../stores/broker/sqlite-broker.ts';
import { embeddedMetricsStore } from '../../stores/metrics-store/embedded-metrics-store.ts';
import type { ChangeFeed, ShopDatabase } from '../../stores/shop/changes.ts';
import { logicalFeed } from '../../stores/shop/logical-feed.ts';
import { pollingFeed } from '../../stores/shop/polling-feed.ts';
import { postgresShop } from '../../stores/shop/postgres-shop.ts';
import { postgresShopNames } from '../../stores/shop/postgres-shop-names.ts';
import { ensureShopSchema } from '../../stores/shop/schema.ts';
import { postgresWarehouse } from '../../stores/warehouse/postgres-warehouse.ts';
import { once } from '../once.ts';
import type { Options } from '../options.ts';
import type { Platform } from '../platform.ts';
import type { Urls } from '../urls.ts';

const DAY_MS = 86_400_000;

export interface EmbeddedProfileParts {
  readonly options: Options;
  readonly urls: Urls;
  readonly clock: Clock;
  readonly log: Log;
}

export function embeddedProfile({ options, urls, clock, log }: EmbeddedProfileParts): Platform {
  const dir = (name: string): string => {
    const path = join(resolve(options.dataDir), name);
    mkdirSync(path, { recursive: true });
    return path;
  };
  const closers: (() => Promise<void>)[] = [];
  const kept = <T extends { close(): Promise<void> }>(make: () => Promise<T>): (() => Promise<T>) =>
    once(async () => {
      const made = await make();
      closers.unshift(() => made.close());
      return made;
    });
  const schema = once(() => ensureShopSchema(urls.shop, urls.crm));

  const broker = kept(async () => {
    const opened = sqliteBroker(logOptions(options, dir('log'), clock, log.child('log')));
    await opened.createTopics(Object.values(TOPICS));
    return opened;
  });

  return {
    options,
    clock,
    log: (stage) => log.child(stage),
    dir,
    shop: kept(async () => {
      await schema();
      return postgresShop({ shopUrl: urls.shop, crmUrl: urls.crm });
    }),
    names: kept(async () => postgresShopNames(urls.shop)),
    feeds: once(async () => {
      await schema();
      const feeds = [
        feed(options, 'instashop', urls.shop, clock, log),
        feed(options, 'crm_db', urls.crm, clock, log),
      ];
      for (const one of feeds) closers.unshift(() => one.close());
      return feeds;
    }),
    broker,
    warehouse: kept(async () => {
      const warehouse = postgresWarehouse({
        url: urls.dwh,
        clock,
        retentionDays: options.warehouseRetention,
      });
      await warehouse.migrate().catch(async (error: unknown) => {
        await warehouse.close();
        throw error;
      });
      return warehouse;
    }),
    metricsStore: kept(async () =>
      embeddedMetricsStore({
        dir: dir('metrics-store'),
        clock,
        log: log.child('metrics-store'),
        mainCurrency: options.mainCurrency,
      }),
    ),
    metrics: async () =>
      metricsStage({ broker: await broker(), clock, log: log.child('metrics'), dir: dir('metrics') }),
    async close() {
      for (const close of closers.splice(0)) await close();
    },
  };
}

/** How the log of these options is opened, by whichever command needs it. */
export const logOptions = (options: Options, dir: string, clock: Clock, log: Log) => ({
  dir,
  clock,
  log,
  retentionMs: options.retention * DAY_MS,
  retentionBytes: options.retentionSize * 2 ** 30,
  // The store keeps an hour; what is older is in the engine's checkpoint.
  retentionMsByTopic: { [TOPICS.metrics.name]: 2 * METRICS_TTL_MS },
});

function feed(options: Options, database: ShopDatabase, url: string, clock: Clock, log: Log): ChangeFeed {
  const parts = { url, database, clock, log: log.child('capture') };
  return options.capture === 'logical'
    ? logicalFeed(parts)
    : pollingFeed({ ...parts, intervalMs: options.pollInterval });
}
