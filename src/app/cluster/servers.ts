// The servers of a cluster folder as processes: which of them run, and how to stop them all.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { KAFKA_VERSION } from '../../services/kafka/installation.ts';
import { kafkaMarks, stopKafka } from '../../services/kafka/kafka.ts';
import { NODE_IDS } from '../../services/kafka/settings.ts';
import { postgresPids, stopPostgres } from '../../services/postgres/postgres.ts';
import { memoryOf, processesOf } from '../../services/processes.ts';
import { redisMark, stopRedis } from '../../services/redis/redis.ts';
import { SPARK_VERSION } from '../../services/spark/installation.ts';
import { sparkMark } from '../../services/spark/layout.ts';
import { sparkProcesses } from '../../services/spark/processes.ts';
import { stopSpark } from '../../services/spark/spark.ts';
import type { ClusterPlaces, SparkPlace } from './places.ts';

export interface ServerState {
  readonly name: string;
  readonly kind: 'kafka' | 'redis' | 'postgres' | 'spark';
  readonly port: number;
  /** Others that it listens on. */
  readonly morePorts: readonly number[];
  /** null: it does not run. */
  readonly pid: number | null;
  /** Of all its processes; null where the system does not tell. */
  readonly memoryBytes: number | null;
  readonly version: string | null;
}

/** In the order they are shown. */
export function serverStates({ kafka, redis, shop, dwh, spark }: ClusterPlaces): readonly ServerState[] {
  const nodes = kafkaMarks(kafka.dir).map((mark, index): ServerState => {
    const id = NODE_IDS[index]!;
    const ports = [kafka.ports[index]!, kafka.controllerPorts[index]!];
    return stateOf(`Kafka ${id}`, 'kafka', ports, processesOf(mark), KAFKA_VERSION);
  });
  const databases = [
    { name: 'PostgreSQL shop', ...shop },
    { name: 'PostgreSQL dwh', ...dwh },
  ].map(({ name, dir, port }) => stateOf(name, 'postgres', [port], postgresPids(dir), postgresVersion(dir)));
  return [
    ...nodes,
    stateOf('Redis', 'redis', [redis.port], processesOf(redisMark(redis.dir)), null),
    ...databases,
    ...sparkStates(spark),
  ];
}

/** Of a Spark that is to run, or runs although it is no longer to. */
function sparkStates({ dir, ports, isWanted }: SparkPlace): readonly ServerState[] {
  if (!isWanted && processesOf(sparkMark(dir)).length === 0) return [];
  return sparkProcesses(dir, ports).map(({ name, ports: own, pid, executorPids }) => {
    const pids = pid === null ? [] : [pid, ...executorPids];
    return stateOf(`Spark ${name}`, 'spark', own, pids, SPARK_VERSION);
  });
}

function stateOf(
  name: string,
  kind: ServerState['kind'],
  [port, ...morePorts]: readonly number[],
  pids: readonly number[],
  version: string | null,
): ServerState {
  const memory = pids.map(memoryOf).filter((bytes) => bytes !== null);
  return {
    name,
    kind,
    port: port!,
    morePorts,
    pid: pids[0] ?? null,
    memoryBytes: memory.length > 0 ? memory.reduce((sum, bytes) => sum + bytes) : null,
    version: pids.length > 0 ? version : null,
  };
}

function postgresVersion(dir: string): string | null {
  const file = join(dir, 'data', 'PG_VERSION');
  return existsSync(file) ? readFileSync(file, 'utf8').trim() : null;
}

/** Stops all of them, brokers together; each writes what it holds. Resolves with how many servers ran. */
export async function stopServers(places: ClusterPlaces, clock: Clock): Promise<number> {
  const running = serverStates(places).filter(({ pid }) => pid !== null).length;
  await Promise.all([
    stopKafka(places.kafka.dir, clock),
    stopRedis(places.redis.dir, clock),
    stopPostgres(places.shop.dir, clock),
    stopPostgres(places.dwh.dir, clock),
    stopSpark(places.spark.dir, clock),
  ]);
  return running;
}
