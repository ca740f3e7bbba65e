// The embedded profile: PostgreSQL from npm (or an existing one), the log and the metrics store as SQLite files.
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { metricsStage } from '../../stages/metrics/embedded/stage.ts';
import { sqliteBroker } from '../../stores/broker/sqlite-broker.ts';
import { embeddedMetricsStore } from '../../stores/metrics-store/embedded-metrics-store.ts';
import { postgresShop } from '../../stores/shop/postgres-shop.ts';
import { postgresShopNames } from '../../stores/shop/postgres-shop-names.ts';
import { ensureShopSchema } from '../../stores/shop/schema.ts';
import { postgresWarehouse } from '../../stores/warehouse/postgres-warehouse.ts';
import { once } from '../once.ts';
import type { Options } from '../options.ts';
import type { Platform } from '../platform.ts';
import { retentionOf } from '../retention.ts';
import { connect, type Urls } from '../urls.ts';
import { feedOf, Kept, stageDir } from './kept.ts';
import type { OpenProfile, ProfileParts } from './profiles.ts';

export interface EmbeddedProfileParts {
  readonly options: Options;
  readonly urls: Urls;
  readonly clock: Clock;
  readonly log: Log;
}

/** Opens the profile, with its PostgreSQL where the options leave a database to it. */
export async function openEmbedded({ options, start, clock, log }: ProfileParts): Promise<OpenProfile> {
  const { urls, postgres } = await connect(options, { start, clock, log });
  const platform = embeddedProfile({ options, urls, clock, log });
  const { shop, crm, dwh } = urls;
  return {
    platform,
    postgres,
    instance: null,
    shopUrls: { shop, crm },
    childOptions: { ...options, shopUrl: shop, crmUrl: crm, dwhUrl: dwh },
    async close() {
      await platform.close().catch((error: Error) => log.warn('a store did not close', { error }));
      await postgres?.stop();
    },
  };
}

export function embeddedProfile({ options, urls, clock, log }: EmbeddedProfileParts): Platform {
  const dir = stageDir(options);
  const kept = new Kept();
  const schema = once(() => ensureShopSchema(urls.shop, urls.crm));

  const broker = kept.once(async () => {
    const opened = sqliteBroker(logOptions(options, dir('log'), clock, log.child('log')));
    await opened.createTopics(Object.values(TOPICS));
    return opened;
  });

  return {
    options,
    clock,
    log: (stage) => log.child(stage),
    dir,
    shop: kept.once(async () => {
      await schema();
      return postgresShop({ shopUrl: urls.shop, crmUrl: urls.crm });
    }),
    names: kept.once(async () => postgresShopNames(urls.shop)),
    feeds: once(async () => {
      await schema();
      const parts = { clock, log: log.child('capture') };
      return [
        kept.add(feedOf(options, 'instashop', { ...parts, url: urls.shop })),
        kept.add(feedOf(options, 'crm_db', { ...parts, url: urls.crm })),
      ];
    }),
    broker,
    warehouse: kept.once(async () => {
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
    metricsStore: kept.once(async () =>
      embeddedMetricsStore({
        dir: dir('metrics-store'),
        clock,
        log: log.child('metrics-store'),
        mainCurrency: options.mainCurrency,
      }),
    ),
    metrics: async () =>
      metricsStage({ broker: await broker(), clock, log: log.child('metrics'), dir: dir('metrics') }),
    close: () => kept.close(),
  };
}

/** How the log of these options is opened, by whichever command needs it. */
export const logOptions = (options: Options, dir: string, clock: Clock, log: Log) => ({
  dir,
  clock,
  log,
  ...retentionOf(options),
  // The store keeps an hour; what is older is in the engine's checkpoint.
  retentionMsByTopic: { [TOPICS.metrics.name]: 2 * METRICS_TTL_MS },
});
