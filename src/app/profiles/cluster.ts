// The cluster profile: Kafka, Redis and PostgreSQL servers, each stage with the rights of its own users.
import { hostname } from 'node:os';
import { CAPTURE_STATE_TOPIC, SPARK_WINDOWS_TOPIC, TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { metricsStage } from '../../stages/metrics/embedded/stage.ts';
import type { Broker } from '../../stores/broker/broker.ts';
import { kafkaBroker } from '../../stores/broker/kafka-broker.ts';
import { redisMetricsStore } from '../../stores/metrics-store/redis-metrics-store.ts';
import { postgresShop } from '../../stores/shop/postgres-shop.ts';
import { postgresShopNames } from '../../stores/shop/postgres-shop-names.ts';
import { prepareShop } from '../../stores/shop/prepare.ts';
import { postgresWarehouse } from '../../stores/warehouse/postgres-warehouse.ts';
import { once } from '../once.ts';
import type { Options } from '../options.ts';
import type { Platform, StoreUser } from '../platform.ts';
import { retentionOf } from '../retention.ts';
import { secretOf, urlOf } from '../secrets.ts';
import { crmUrl } from '../urls.ts';
import { feedOf, Kept, stageDir } from './kept.ts';
import type { OpenProfile, ProfileParts } from './profiles.ts';

const DEFAULT_URLS = {
  shop: 'postgres://127.0.0.1:5432/instashop',
  dwh: 'postgres://127.0.0.1:5436/dwh_db',
  redis: 'redis://127.0.0.1:6379',
} as const;

/** Each append costs three brokers a request: a little more is gathered for one than on one machine. */
const CAPTURE_LINGER_MS = 50;

/** For the same reason. */
const EMIT_INTERVAL_MS = 50;

/** PostgreSQL's roles. The owner makes the shop's tables, and stands for the shop's own programs. */
export const ROLES = {
  owner: 'instashop_owner',
  cdc: 'instashop_cdc',
  loader: 'instashop_loader',
  dashboard: 'instashop_dashboard',
} as const;

/** Who may ask for a store: a stage, the operator's commands, or the cluster's administrator. */
export type ClusterUser = StoreUser | 'admin';

export interface ClusterUrls {
  readonly shop: string;
  readonly crm: string;
  readonly dwh: string;
  readonly redis: string;
}

/** Where the servers are, without the users that are added to them. */
export function clusterUrls(options: Options): ClusterUrls {
  const shop = options.shopUrl ?? DEFAULT_URLS.shop;
  return {
    shop,
    crm: crmUrl({ ...options, shopUrl: shop })!,
    dwh: options.dwhUrl ?? DEFAULT_URLS.dwh,
    redis: options.redisUrl ?? DEFAULT_URLS.redis,
  };
}

/** What this process is called among several of a stage. */
export const instanceOf = ({ instance }: Options): string => instance ?? `${hostname()}-${process.pid}`;

/** A Kafka connection with the rights of one user. Nothing is connected before it is used. */
export const clusterBroker = (options: Options, user: ClusterUser, clock: Clock, log: Log): Broker =>
  kafkaBroker({
    brokers: options.kafkaBrokers.split(','),
    auth:
      options.kafkaAuth === 'none'
        ? null
        : { user: `instashop-${user}`, password: secretOf(options, `instashop-${user}`) },
    tls: options.kafkaTls === 'on',
    clientId: `instashop-${user}@${instanceOf(options)}`,
    ...retentionOf(options),
    clock,
    log: log.child('kafka'),
  });

/** Opens the profile. Servers are neither started nor stopped by it. */
export async function openCluster({ options, clock, log }: ProfileParts): Promise<OpenProfile> {
  const urls = clusterUrls(options);
  const kept = new Kept();
  const dir = stageDir(options);
  const as = (url: string, role: string) => urlOf(options, url, role);
  const perUser = <T extends { close(): Promise<void> }>(
    make: (user: ClusterUser) => Promise<T>,
  ): ((user: ClusterUser) => Promise<T>) => {
    const made = new Map<string, () => Promise<T>>();
    return (user) => {
      const one = made.get(user) ?? kept.once(() => make(user));
      made.set(user, one);
      return one();
    };
  };
  const broker = perUser(async (user) => clusterBroker(options, user, clock, log));
  const platform: Platform = {
    options,
    clock,
    log: (stage) => log.child(stage),
    dir,
    shop: kept.once(async () => {
      const [shopUrl, crm] = [as(urls.shop, ROLES.owner), as(urls.crm, ROLES.owner)];
      await prepareShop(shopUrl, crm);
      return postgresShop({ shopUrl, crmUrl: crm });
    }),
    names: kept.once(async () => postgresShopNames(as(urls.shop, ROLES.cdc))),
    feeds: once(async () => {
      const parts = { clock, log: log.child('capture'), lingerMs: CAPTURE_LINGER_MS };
      return [
        kept.add(feedOf(options, 'instashop', { ...parts, url: as(urls.shop, ROLES.cdc) })),
        kept.add(feedOf(options, 'crm_db', { ...parts, url: as(urls.crm, ROLES.cdc) })),
      ];
    }),
    broker,
    warehouse: perUser((user) => openWarehouse(options, urls, user, clock)),
    metricsStore: perUser(async (user) => {
      const name = user === 'publisher' ? 'instashop-publisher' : 'instashop-dashboard';
      return redisMetricsStore({
        url: urlOf(options, urls.redis, name),
        clock,
        log: log.child('redis'),
        mainCurrency: options.mainCurrency,
      });
    }),
    metrics: async () => {
      const parts = {
        broker: await broker('metrics'),
        clock,
        log: log.child('metrics'),
        dir: dir('metrics'),
        emitIntervalMs: EMIT_INTERVAL_MS,
      };
      if (options.metricsEngine === 'embedded') return metricsStage(parts);
      const { sparkMetrics } = await import('./spark.ts');
      return sparkMetrics(options, parts);
    },
    close: () => kept.close(),
  };
  return {
    platform,
    postgres: null,
    instance: instanceOf(options),
    shopUrls: { shop: as(urls.shop, ROLES.cdc), crm: as(urls.crm, ROLES.cdc) },
    childOptions: options,
    close: () => kept.close().catch((error: Error) => log.warn('a store did not close', { error })),
  };
}

/** All topics, those that only a cluster has included. */
export const CLUSTER_TOPICS = [...Object.values(TOPICS), CAPTURE_STATE_TOPIC, SPARK_WINDOWS_TOPIC];

/** The loader makes the tables, everybody else reads them: before they are there, asks again. */
async function openWarehouse(options: Options, urls: ClusterUrls, user: ClusterUser, clock: Clock) {
  const isLoader = user === 'loader';
  const warehouse = postgresWarehouse({
    url: urlOf(options, urls.dwh, isLoader ? ROLES.loader : ROLES.dashboard),
    clock,
    retentionDays: options.warehouseRetention,
  });
  try {
    if (isLoader) await warehouse.migrate();
    else await warehouse.offsets();
    return warehouse;
  } catch (error) {
    await warehouse.close();
    throw notThereYet(error);
  }
}

function notThereYet(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === '42P01') {
    return Object.assign(new Error('the warehouse has no tables yet: the loader makes them'), {
      retryable: true,
    });
  }
  if (code === '28P01' || code === '28000' || code === '42501') {
    return new UserError(
      `the warehouse refuses its user: ${message}`,
      'Correct the password or the rights: `instashop cluster up` sets both on the servers it starts.',
    );
  }
  return error;
}
