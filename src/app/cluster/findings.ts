// What is looked at before the servers are started.
import { mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import { UserError } from '../../lib/errors.ts';
import type { Finding } from '../../lib/finding.ts';
import { cacheFolder } from '../../services/download.ts';
import { portFault } from '../../services/free-ports.ts';
import { findJava } from '../../services/kafka/java.ts';
import { findBinaries } from '../../services/postgres/binaries.ts';
import { whoListens } from './listener.ts';
import type { ClusterPlaces } from './places.ts';
import type { ServerState } from './servers.ts';

const MEMORY_BYTES_MIN = 2.2e9;
const FREE_BYTES_MIN = 1e9;
const CACHE_BYTES_MIN = 250e6;

/** What hinders the start; `servers` are those of the data folder as they are now. */
export async function clusterFindings(
  { kafka }: ClusterPlaces,
  dir: string,
  servers: readonly ServerState[],
): Promise<readonly Finding[]> {
  const stopped = servers.filter(({ pid }) => pid === null);
  if (stopped.length === 0) return [];
  return [
    ...platformFindings(),
    ...programFindings(),
    ...memoryFindings(stopped.length / servers.length),
    ...spaceFindings(dir, FREE_BYTES_MIN, '--data-dir'),
    ...spaceFindings(cacheFolder(), CACHE_BYTES_MIN, 'XDG_CACHE_HOME'),
    ...(await portFindings(kafka, stopped)),
  ];
}

const error = (what: string, remedy: string): Finding => ({ severity: 'error', what, remedy });

const platformFindings = (): Finding[] =>
  process.platform === 'win32'
    ? [error('the servers are started on Linux and macOS only', 'Use Docker: ops/README.md, or WSL.')]
    : [];

const programFindings = (): Finding[] =>
  [() => findJava(), () => findBinaries()].flatMap((find) => {
    try {
      find();
      return [];
    } catch (fault) {
      if (!(fault instanceof UserError)) throw fault;
      return [error(fault.message, fault.remedy)];
    }
  });

/** What programs may still take: on Linux more than what is free, since caches give way. */
function availableBytes(): number {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kib === undefined ? freemem() : Number(kib) * 1_024;
  } catch {
    return freemem();
  }
}

function memoryFindings(share: number): Finding[] {
  // macOS calls little free, whatever it could have.
  if (process.platform === 'darwin') return [];
  const [available, needed] = [availableBytes(), MEMORY_BYTES_MIN * share];
  if (available >= needed) return [];
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  return [
    error(
      `only ${gigabytes(available)} GB of memory are left; the servers need ${gigabytes(needed)} GB`,
      'Close some programs, or use the embedded profile (`npm start`): it needs a quarter of that.',
    ),
  ];
}

function spaceFindings(dir: string, bytesMin: number, option: string): Finding[] {
  try {
    mkdirSync(dir, { recursive: true });
    const { bavail, bsize } = statfsSync(dir);
    const free = bavail * bsize;
    if (free >= bytesMin) return [];
    const what = `only ${Math.round(free / 1e6)} MB are free where ${dir} lies; it needs ${bytesMin / 1e6} MB`;
    return [error(what, `Free some room, or name a folder on another disk: ${option}`)];
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    return [
      error(`the folder ${dir} cannot be written (${code})`, `Make it writable, or name another: ${option}`),
    ];
  }
}

const OPTIONS_OF: Readonly<Record<ServerState['kind'], string>> = {
  kafka: '--kafka-brokers',
  redis: '--redis-url',
  postgres: '--shop-url or --dwh-url',
};

async function portFindings(
  { ports, controllerPorts }: ClusterPlaces['kafka'],
  stopped: readonly ServerState[],
): Promise<Finding[]> {
  const wanted = stopped.flatMap(({ name, kind, port }) =>
    [port, ...(kind === 'kafka' ? [controllerPorts[ports.indexOf(port)]!] : [])].map((one) => ({
      name,
      kind,
      port: one,
    })),
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
