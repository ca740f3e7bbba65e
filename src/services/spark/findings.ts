// What is looked at before Spark is started.
import { type Finding, faultFindings } from '../../lib/finding.ts';
import { cacheFolder } from '../download.ts';
import { portFault } from '../free-ports.ts';
import { findJava } from '../java.ts';
import { memoryFindings, spaceFindings } from '../resources.ts';
import { ARCHIVE_BYTES, DOWNLOAD_BYTES, isInstalled } from './installation.ts';
import { type SparkProcessState, sparkProcesses } from './processes.ts';
import type { SparkPorts, SparkSizes } from './settings.ts';

export interface SparkCheck {
  readonly dataDir: string;
  readonly ports: SparkPorts;
  readonly sizes: SparkSizes;
  readonly cacheDir?: string | undefined;
}

/** State and checkpoints of a metrics query, and logs. */
const FREE_BYTES_MIN = 1e9;
/** A JVM takes so much of its heap, what it needs beside it counted in (measured under load). */
const HEAP_SHARE = 0.75;
const MB = 1 << 20;

/** What hinders the start of what does not run yet: Java, memory, room on the disks, ports. */
export async function sparkFindings(check: SparkCheck): Promise<readonly Finding[]> {
  const { dataDir, ports, sizes, cacheDir = cacheFolder() } = check;
  const missing = missingProcesses(dataDir, ports);
  if (missing.length === 0) return [];
  return [
    ...faultFindings(() => findJava('Spark')),
    ...memoryFindings(memoryBytes(missing, sizes), 'count without Spark: --metrics-engine embedded'),
    ...spaceFindings(dataDir, FREE_BYTES_MIN, '--data-dir'),
    ...spaceFindings(cacheDir, sparkCacheBytes(cacheDir), 'XDG_CACHE_HOME'),
    ...(await Promise.all(missing.map((one) => portFindings(one)))).flat(),
  ];
}

const missingProcesses = (dataDir: string, ports: SparkPorts): readonly SparkProcessState[] =>
  sparkProcesses(dataDir, ports).filter(({ pid }) => pid === null);

/** What the processes take that do not run yet, executors included. */
export const sparkMemoryBytes = ({ dataDir, ports, sizes }: Omit<SparkCheck, 'cacheDir'>): number =>
  memoryBytes(missingProcesses(dataDir, ports), sizes);

function memoryBytes(processes: readonly SparkProcessState[], sizes: SparkSizes): number {
  const { daemonMb, driverMb, executorMb } = sizes;
  const heapMb = { master: daemonMb, worker: daemonMb + executorMb, connect: driverMb };
  return processes.reduce((sum, { kind }) => sum + heapMb[kind] * MB * HEAP_SHARE, 0);
}

/** Room that a download needs; 0 when there is none to be made. */
export const sparkCacheBytes = (cacheDir = cacheFolder()): number =>
  isInstalled(cacheDir) ? 0 : DOWNLOAD_BYTES + ARCHIVE_BYTES;

/** Ports of a process that others use, as `faultOf` finds them. */
export async function portFindings(
  { name, ports }: Pick<SparkProcessState, 'name' | 'ports'>,
  faultOf: (port: number) => Promise<string | null> = portFault,
): Promise<Finding[]> {
  const faults = await Promise.all(ports.map((port) => faultOf(port)));
  return ports.flatMap((port, index): Finding[] => {
    const fault = faults[index]!;
    if (fault === null) return [];
    const what = `Spark's ${name} cannot listen on 127.0.0.1:${port}: ${fault}`;
    return [{ severity: 'error', what, remedy: 'Stop that program, or choose other ports.' }];
  });
}
