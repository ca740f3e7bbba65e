import { join, resolve } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { flagName } from '../option.ts';
import type { Options } from '../options.ts';
import { clusterUrls } from '../profiles/cluster.ts';

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
}

/** A controller listens beside its broker, so far above it. */
const CONTROLLER_PORT_OFFSET = 1_000;
const NODES = 3;

/** The cluster's own folder in the data folder. */
export const clusterDir = (dataDir: string): string => join(resolve(dataDir), 'cluster');

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
