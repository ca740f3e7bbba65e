import { join, resolve } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import {
  type SparkPorts,
  type SparkSizes,
  sparkPortsBy,
  USUAL_SIZES,
} from '../../services/spark/settings.ts';
import { flagName } from '../option.ts';
import type { Options } from '../options.ts';
import { clusterUrls } from '../profiles/cluster.ts';
import { SPARK_URL } from '../profiles/spark-names.ts';

/** Where the servers of a data folder listen and keep their data. */
export interface ClusterPlaces {
  readonly kafka: {
    readonly dir: string;
    readonly ports: readonly number[];
    readonly controllerPorts: readonly number[];
  };
  readonly redis: { readonly dir: string; readonly port: number };
  readonly shop: {
    readonly dir: string;
    readonly port: number;
    readonly databases: readonly [string, string];
  };
  readonly dwh: { readonly dir: string; readonly port: number; readonly database: string };
  readonly spark: SparkPlace;
}

export interface SparkPlace {
  readonly dir: string;
  readonly ports: SparkPorts;
  readonly sizes: SparkSizes;
  /** Whether it is to be started. */
  readonly isWanted: boolean;
}

/** A controller listens beside its broker, so far above it. */
const CONTROLLER_PORT_OFFSET = 1_000;
const NODES = 3;

/** The cluster's own folder in the data folder. */
export const clusterDir = (dataDir: string): string => join(resolve(dataDir), 'cluster');

/** Where its Spark keeps everything. */
export const sparkDir = (dataDir: string): string => join(clusterDir(dataDir), 'spark');

/**
 * Where the options look for the servers is where they are started. Rejects with a UserError for servers that are on
 * another machine or are not to be started here.
 */
export function placesOf(options: Options): ClusterPlaces {
  const dir = clusterDir(options.dataDir);
  const urls = clusterUrls(options);
  const ports = options.kafkaBrokers
    .split(',')
    .map((address) => localPort('kafkaBrokers', `kafka://${address}`, 0));
  if (ports.length !== NODES) {
    throw new UserError(
      `--kafka-brokers names ${ports.length} brokers`,
      `The cluster has ${NODES}: name all.`,
    );
  }
  if (options.kafkaAuth === 'none' || options.kafkaTls === 'on') {
    throw new UserError(
      'the brokers started here sign their users in, over connections of this machine only',
      'Leave --kafka-auth and --kafka-tls out.',
    );
  }
  const [shopPort, crmPort] = [localPort('shopUrl', urls.shop, 5432), localPort('crmUrl', urls.crm, 5432)];
  if (shopPort !== crmPort) {
    throw new UserError(
      'instashop and crm_db are on two servers',
      'Leave --crm-url out: one server has both.',
    );
  }
  return {
    kafka: {
      dir: join(dir, 'kafka'),
      ports,
      controllerPorts: ports.map((port) => port + CONTROLLER_PORT_OFFSET),
    },
    redis: { dir: join(dir, 'redis'), port: localPort('redisUrl', urls.redis, 6379) },
    shop: {
      dir: join(dir, 'postgres-shop'),
      port: shopPort,
      databases: [databaseOf(urls.shop), databaseOf(urls.crm)],
    },
    dwh: {
      dir: join(dir, 'postgres-dwh'),
      port: localPort('dwhUrl', urls.dwh, 5432),
      database: databaseOf(urls.dwh),
    },
    spark: sparkPlace(options),
  };
}

/** Rejects with a UserError for a Connect server that is on another machine while Spark is to be started here. */
export function sparkPlace(options: Options): SparkPlace {
  const isWanted = options.metricsEngine === 'spark';
  const outer = {
    master: options.sparkMaster,
    masterUi: options.sparkUi,
    driverUi: options.sparkJobs,
    connect: isWanted ? localPort('sparkUrl', options.sparkUrl ?? SPARK_URL, 80) : 0,
  };
  return {
    dir: sparkDir(options.dataDir),
    ports: sparkPortsBy(outer, options.sparkWorkers),
    sizes: {
      ...USUAL_SIZES,
      coresPerWorker: options.sparkCores,
      driverMb: options.sparkDriverMemory,
      executorMb: options.sparkExecutorMemory,
    },
    isWanted,
  };
}

function localPort(option: keyof Options, url: string, usual: number): number {
  const { hostname, port, username } = new URL(url);
  if (!['127.0.0.1', 'localhost'].includes(hostname) || username !== '') {
    throw new UserError(
      `--${flagName(option)} names a server that this command does not start`,
      'Name a port of 127.0.0.1 without a user, or leave it out; servers elsewhere are started by whoever has them.',
    );
  }
  return Number(port) || usual;
}

const databaseOf = (url: string): string => decodeURIComponent(new URL(url).pathname.slice(1));
