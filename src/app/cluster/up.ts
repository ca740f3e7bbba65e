import { mkdirSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type KafkaCluster, startKafka } from '../../services/kafka/kafka.ts';
import { ensureUsers } from '../../services/kafka/probe.ts';
import { ADMIN_USER, BROKER_USER } from '../../services/kafka/settings.ts';
import { ensureDatabase, type PostgresServer, startPostgres } from '../../services/postgres/postgres.ts';
import { type RedisServer, startRedis } from '../../services/redis/redis.ts';
import { startSpark } from '../../services/spark/spark.ts';
import type { Options } from '../options.ts';
import { urlOf } from '../secrets.ts';
import type { Terminal } from '../terminal.ts';
import { type ClusterPlaces, clusterDir } from './places.ts';
import { type ClusterSecrets, clusterSecrets, makeSecrets, POSTGRES_USER } from './secrets.ts';
import { setUpCluster } from './setup.ts';
import { sparkServerOptions } from './spark.ts';

export interface UpParts {
  readonly options: Options;
  readonly places: ClusterPlaces;
  readonly clock: Clock;
  readonly log: Log;
  readonly terminal: Terminal;
}

/**
 * Starts the servers that do not run, waits until all answer, and gives them topics, users and rights. They stay when
 * this process ends. Rejects with a UserError when a person must mend something; what was started by then stays.
 */
export async function startCluster(parts: UpParts): Promise<void> {
  const { options, places, terminal } = parts;
  mkdirSync(clusterDir(options.dataDir), { recursive: true });
  const made = makeSecrets(options);
  if (made > 0) terminal.line(`${made} passwords made`);
  const secrets = clusterSecrets(options);
  terminal.status('Starting the servers …');
  const ended = await Promise.allSettled([
    timed('Kafka', startBrokers(parts, secrets), parts),
    timed('Redis', startCache(parts, secrets), parts),
    timed('PostgreSQL shop', startDatabase(parts, places.shop, places.shop.databases), parts),
    timed('PostgreSQL dwh', startDatabase(parts, places.dwh, [places.dwh.database]), parts),
    ...(places.spark.isWanted ? [timed('Spark', startSparkServers(parts), parts)] : []),
  ]);
  terminal.status('');
  const failed = ended.find((one) => one.status === 'rejected');
  if (failed) throw failed.reason;
  const [kafka, , shop, dwh] = ended.map((one) => (one as PromiseFulfilledResult<unknown>).value) as [
    KafkaCluster,
    RedisServer,
    PostgresServer,
    PostgresServer,
  ];
  const at = { brokers: kafka.brokers, shop: shop.url, dwh: dwh.url };
  await timed('topics, tables, users and rights', configure(parts, secrets, at), parts);
}

/**
 * Gives servers that somebody else started on this machine (ops/compose.yaml) what `startCluster` gives its own.
 * Rejects as it does.
 */
export async function setUpServers(parts: UpParts): Promise<void> {
  const { options, places } = parts;
  const secrets = clusterSecrets(options);
  const superuser = (port: number) => (database: string) =>
    urlOf(options, `postgres://127.0.0.1:${port}/${encodeURIComponent(database)}`, POSTGRES_USER);
  const [shop, dwh] = [superuser(places.shop.port), superuser(places.dwh.port)];
  const { [ADMIN_USER]: password, [BROKER_USER]: _, ...others } = secrets.kafka;
  await ensureUsers(places.kafka.ports[0]!, { username: ADMIN_USER, password: password! }, others);
  await ensureDatabases(shop('postgres'), places.shop.databases);
  await ensureDatabases(dwh('postgres'), [places.dwh.database]);
  const brokers = places.kafka.ports.map((port) => `127.0.0.1:${port}`);
  await timed('topics, tables, users and rights', configure(parts, secrets, { brokers, shop, dwh }), parts);
}

interface ServerAddresses {
  readonly brokers: readonly string[];
  /** Connection strings of a superuser, by database. */
  shop(database: string): string;
  dwh(database: string): string;
}

const configure = (
  { options, places, clock, log }: UpParts,
  secrets: ClusterSecrets,
  { brokers, shop, dwh }: ServerAddresses,
): Promise<void> =>
  setUpCluster({
    brokers,
    admin: { user: ADMIN_USER, password: secrets.kafka[ADMIN_USER]! },
    databases: {
      shop: shop(places.shop.databases[0]),
      crm: shop(places.shop.databases[1]),
      dwh: dwh(places.dwh.database),
    },
    rolePasswords: secrets.roles,
    options,
    clock,
    log,
  });

const ensureDatabases = async (url: string, names: readonly string[]): Promise<void> => {
  for (const name of names) await ensureDatabase(url, name);
};

const startBrokers = ({ places, clock, log, terminal }: UpParts, { kafka: users }: ClusterSecrets) =>
  startKafka({
    dataDir: places.kafka.dir,
    ports: places.kafka.ports,
    controllerPorts: places.kafka.controllerPorts,
    users,
    tied: false,
    onProgress: downloads('Kafka', terminal),
    clock,
    log: log.child('kafka'),
  });

const startCache = ({ places, clock, log, terminal }: UpParts, { redis: users }: ClusterSecrets) =>
  startRedis({
    dataDir: places.redis.dir,
    port: places.redis.port,
    users,
    tied: false,
    onProgress: downloads('Valkey', terminal),
    clock,
    log: log.child('redis'),
  });

const startSparkServers = ({ options, places, clock, log, terminal }: UpParts) =>
  startSpark({
    ...sparkServerOptions(options, places.spark, { clock, log: log.child('spark') }),
    onProgress: downloads('Spark', terminal),
  });

async function startDatabase(
  { clock, log }: UpParts,
  { dir, port }: { readonly dir: string; readonly port: number },
  databases: readonly string[],
): Promise<PostgresServer> {
  const server = await startPostgres({ dataDir: dir, port, tied: false, clock, log: log.child('postgres') });
  await ensureDatabases(server.url('postgres'), databases);
  return server;
}

async function timed<T>(what: string, work: Promise<T>, { clock, terminal }: UpParts): Promise<T> {
  const since = clock.now();
  const result = await work;
  terminal.line(`✓ ${what}, ${((clock.now() - since) / 1_000).toFixed(1)} s`);
  return result;
}

/** A live line in a terminal; elsewhere the beginning and the end. */
function downloads(what: string, terminal: Terminal): (bytes: number, bytesAll: number) => void {
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
  let began = false;
  return (bytes, bytesAll) => {
    if (!began) terminal.line(`Downloading ${what}, once: ${megabytes(bytesAll)} MB`);
    began = true;
    terminal.status(`Starting the servers … ${what} ${megabytes(bytes)} of ${megabytes(bytesAll)} MB`);
  };
}
