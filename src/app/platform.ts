import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Stage } from '../lib/stage.ts';
import type { Broker } from '../stores/broker/broker.ts';
import type { MetricsStore } from '../stores/metrics-store/metrics-store.ts';
import type { ChangeFeed } from '../stores/shop/changes.ts';
import type { Shop } from '../stores/shop/shop.ts';
import type { ShopNames } from '../stores/shop/shop-names.ts';
import type { Warehouse } from '../stores/warehouse/warehouse.ts';
import type { Options } from './options.ts';
import type { StageName } from './stage-names.ts';

/** A stage, or the commands of a person who operates the system. */
export type StoreUser = StageName | 'operator';

/**
 * The stores of one profile, made when first asked for and shared from then on. A method rejects as its store does:
 * with a retryable error while a server is away (ask again), with a UserError when a person must mend something.
 */
export interface Platform {
  readonly options: Options;
  readonly clock: Clock;
  log(stage: string): Log;
  /** Folder of a stage's own state. */
  dir(stage: string): string;
  shop(): Promise<Shop>;
  names(): Promise<ShopNames>;
  /** One per database of the shop, by the wanted mode of capture. */
  feeds(): Promise<readonly ChangeFeed[]>;
  /** With the rights of that user (cluster), as are the two below. */
  broker(user: StoreUser): Promise<Broker>;
  warehouse(user: StoreUser): Promise<Warehouse>;
  metricsStore(user: StoreUser): Promise<MetricsStore>;
  /** The stage that makes windows: each profile has its own engine. */
  metrics(): Promise<Stage>;
  /** Closes what was made. */
  close(): Promise<void>;
}
