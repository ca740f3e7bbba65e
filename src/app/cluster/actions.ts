// What `instashop cluster` does.
import { resolve } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { findingText } from '../checks/checks.ts';
import { takeLock } from '../lock.ts';
import type { Options } from '../options.ts';
import { wantedStages } from '../pipeline.ts';
import { run } from '../run.ts';
import { secretsDir } from '../secrets.ts';
import type { Terminal } from '../terminal.ts';
import { clusterFindings } from './findings.ts';
import { type ClusterPlaces, clusterDir, placesOf } from './places.ts';
import { redisVersion } from './redis-version.ts';
import { makeSecrets, POSTGRES_USER } from './secrets.ts';
import { type ServerState, serverStates, stopServers } from './servers.ts';
import { type KafkaState, kafkaState } from './status.ts';
import { setUpServers, startCluster } from './up.ts';

export interface ClusterContext {
  readonly options: Options;
  readonly clock: Clock;
  readonly log: Log;
  readonly terminal: Terminal;
}

/** Starts what does not run; resolves with the exit code, with `runs` after the pipeline has ended. */
export async function up(context: ClusterContext, runs: boolean): Promise<number> {
  const { options, terminal } = context;
  const places = placesOf(options);
  const lock = takeLock(clusterDir(options.dataDir), 'servers', '`instashop cluster`');
  try {
    const found = await clusterFindings(places, clusterDir(options.dataDir), serverStates(places));
    for (const finding of found) terminal.line(findingText(finding));
    if (found.length > 0) return 1;
    await startCluster({ ...context, places });
  } finally {
    lock.release();
  }
  terminal.line(
    `The servers run until \`instashop cluster down\`. Their users' passwords: ${secretsDir(options)}`,
  );
  if (!runs) {
    terminal.line('Run the pipeline on them: instashop run --profile cluster');
    return 0;
  }
  return run({ ...context, stages: wantedStages(options), whole: true });
}

/** Makes the passwords that are missing, one of PostgreSQL's superuser included; resolves with the exit code. */
export async function secrets({ options, terminal }: ClusterContext): Promise<number> {
  const made = makeSecrets(options, [POSTGRES_USER]);
  terminal.line(`${made} passwords made, in ${secretsDir(options)}`);
  return 0;
}

/** Gives servers that run already their topics, users and rights; resolves with the exit code. */
export async function setup(context: ClusterContext): Promise<number> {
  await setUpServers({ ...context, places: placesOf(context.options) });
  return 0;
}

/** Stops all servers; resolves with the exit code. */
export async function down({ options, clock, terminal }: ClusterContext): Promise<number> {
  const lock = takeLock(clusterDir(options.dataDir), 'servers', '`instashop cluster`');
  try {
    const stopped = await stopServers(placesOf(options), clock);
    const where = resolve(clusterDir(options.dataDir));
    terminal.line(
      stopped === 0 ? `No servers run on ${where}.` : `${stopped} servers stopped; data is in ${where}.`,
    );
    return 0;
  } finally {
    lock.release();
  }
}

/** Exits with 0 when all servers run and every partition has all its copies. */
export async function status(
  { options, clock, log, terminal }: ClusterContext,
  json: boolean,
): Promise<number> {
  const places = placesOf(options);
  const states = await withRedisVersion(serverStates(places), places, options);
  const runs = states.some(({ kind, pid }) => kind === 'kafka' && pid !== null);
  const kafka = runs ? await kafkaState(options, clock, log).catch((error: Error) => error) : null;
  const answered = kafka instanceof Error ? null : kafka;
  terminal.line(json ? JSON.stringify(asJson(states, answered)) : page(states, kafka));
  const isWhole = answered !== null && answered.underReplicated + answered.offline === 0;
  return isWhole && states.every(({ pid }) => pid !== null) ? 0 : 1;
}

const withRedisVersion = (
  states: readonly ServerState[],
  { redis }: ClusterPlaces,
  options: Options,
): Promise<ServerState[]> =>
  Promise.all(
    states.map(async (state) =>
      state.kind === 'redis' && state.pid !== null
        ? { ...state, version: await redisVersion(redis.port, options) }
        : state,
    ),
  );

const asJson = (states: readonly ServerState[], kafka: KafkaState | null) => ({
  servers: states.map(({ name, kind, port, pid, memoryBytes, version }) => ({
    name,
    kind,
    running: pid !== null,
    pid,
    port,
    memory_bytes: memoryBytes,
    version,
  })),
  kafka: kafka && {
    brokers: kafka.brokers.map(({ id, inCluster, isController, leads }) => ({
      id,
      in_cluster: inCluster,
      controller: isController,
      leads,
    })),
    partitions: kafka.partitions,
    under_replicated: kafka.underReplicated,
    offline: kafka.offline,
  },
});

function page(states: readonly ServerState[], kafka: KafkaState | Error | null): string {
  const brokers = kafka instanceof Error ? [] : (kafka?.brokers ?? []);
  const role = (state: ServerState): string => {
    const broker =
      state.kind === 'kafka' && state.pid !== null ? brokers[Number(state.name.at(-1)) - 1] : undefined;
    if (!broker) return '';
    if (!broker.inCluster) return 'not in the cluster yet';
    return `${broker.isController ? 'controller, ' : ''}leads ${broker.leads} partitions`;
  };
  const lines = states.map((state) => {
    const { name, port, pid, memoryBytes, version } = state;
    const memory = memoryBytes === null ? '-' : `${Math.round(memoryBytes / 1e6)} MB`;
    const running = pid === null ? 'stopped' : `process ${pid}`;
    const columns = [name.padEnd(16), `:${port}`.padEnd(6), running.padEnd(16), memory.padStart(7)];
    return `${pid === null ? '✗' : '✓'} ${columns.join('  ')}  ${(version ?? '').padEnd(7)}  ${role(state)}`.trimEnd();
  });
  return [...lines, ...partitionLines(kafka)].join('\n');
}

function partitionLines(kafka: KafkaState | Error | null): string[] {
  if (kafka === null) return [];
  if (kafka instanceof Error) return [`✗ Kafka does not answer: ${kafka.message}`];
  const { partitions, underReplicated, offline } = kafka;
  if (underReplicated + offline === 0) return [`All ${partitions} partitions have all their copies.`];
  return [`✗ of ${partitions} partitions, ${underReplicated} lack a copy and ${offline} have no leader`];
}
