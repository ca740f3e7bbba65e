// What is looked at before the servers are started.
import { type Finding, faultFindings } from '../../lib/finding.ts';
import { cacheFolder } from '../../services/download.ts';
import { portFault } from '../../services/free-ports.ts';
import { findJava } from '../../services/java.ts';
import { findBinaries } from '../../services/postgres/binaries.ts';
import { memoryFindings, spaceFindings } from '../../services/resources.ts';
import { sparkCacheBytes, sparkMemoryBytes } from '../../services/spark/findings.ts';
import { whoListens } from './listener.ts';
import type { ClusterPlaces } from './places.ts';
import type { ServerState } from './servers.ts';

const MEMORY_BYTES_MIN = 2.2e9;
const FREE_BYTES_MIN = 1e9;
const CACHE_BYTES_MIN = 250e6;
const LESS_MEMORY = 'use the embedded profile (`npm start`): it needs a quarter of that.';

/** What hinders the start; `servers` are those of the data folder as they are now. */
export async function clusterFindings(
  { spark }: ClusterPlaces,
  dir: string,
  servers: readonly ServerState[],
): Promise<readonly Finding[]> {
  const stopped = servers.filter(({ pid }) => pid === null);
  if (stopped.length === 0) return [];
  const others = servers.filter(({ kind }) => kind !== 'spark');
  const share = others.filter(({ pid }) => pid === null).length / others.length;
  const memoryBytes =
    MEMORY_BYTES_MIN * share + (spark.isWanted ? sparkMemoryBytes({ ...spark, dataDir: spark.dir }) : 0);
  const cacheBytes = CACHE_BYTES_MIN + (spark.isWanted ? sparkCacheBytes() : 0);
  return [
    ...platformFindings(),
    ...faultFindings(() => findJava('Kafka')),
    ...faultFindings(findBinaries),
    ...memoryFindings(memoryBytes, LESS_MEMORY),
    ...spaceFindings(dir, FREE_BYTES_MIN, '--data-dir'),
    ...spaceFindings(cacheFolder(), cacheBytes, 'XDG_CACHE_HOME'),
    ...(await portFindings(stopped)),
  ];
}

const error = (what: string, remedy: string): Finding => ({ severity: 'error', what, remedy });

const platformFindings = (): Finding[] =>
  process.platform === 'win32'
    ? [error('the servers are started on Linux and macOS only', 'Use Docker: ops/README.md, or WSL.')]
    : [];

const OPTIONS_OF: Readonly<Record<ServerState['kind'], string>> = {
  kafka: '--kafka-brokers',
  redis: '--redis-url',
  postgres: '--shop-url or --dwh-url',
  spark: '--spark-ui, --spark-jobs, --spark-url or --spark-master',
};

async function portFindings(stopped: readonly ServerState[]): Promise<Finding[]> {
  const wanted = stopped.flatMap(({ name, kind, port, morePorts }) =>
    [port, ...morePorts].map((one) => ({ name, kind, port: one })),
  );
  const found = wanted.map(async ({ name, kind, port }): Promise<Finding[]> => {
    const fault = await portFault(port);
    if (fault === null) return [];
    const who = whoListens(port);
    return [
      error(
        `${name} cannot listen on 127.0.0.1:${port}: ${who === null ? fault : `${who} listens there`}`,
        `Stop that program, or choose another port: ${OPTIONS_OF[kind]}`,
      ),
    ];
  });
  return (await Promise.all(found)).flat();
}
