import { processesOf } from '../processes.ts';
import { sparkProcessMark } from './layout.ts';
import type { SparkPorts } from './settings.ts';

export interface SparkProcessState {
  /** `master`, `worker-1`, …, `connect`. */
  readonly name: string;
  readonly kind: 'master' | 'worker' | 'connect';
  /** All it listens on, the one others know it by first. */
  readonly ports: readonly number[];
  /** null: it does not run. */
  readonly pid: number | null;
  /** Of a worker's executors: they end with it or with the driver. */
  readonly executorPids: readonly number[];
}

/** The processes of a data folder, as they are now, in the order they are started. */
export function sparkProcesses(dataDir: string, ports: SparkPorts): readonly SparkProcessState[] {
  const { master, masterUi, workers, connect, driver, driverBlocks, driverUi } = ports;
  const state = (name: string, kind: SparkProcessState['kind'], own: readonly number[]) => ({
    name,
    kind,
    ports: own,
    pid: processesOf(sparkProcessMark(dataDir, name))[0] ?? null,
    executorPids: kind === 'worker' ? executorsOf(own[1]!) : [],
  });
  return [
    state('master', 'master', [masterUi, master]),
    ...workers.map(({ port, ui }, index) => state(`worker-${index + 1}`, 'worker', [ui, port])),
    state('connect', 'connect', [connect, driver, driverBlocks, driverUi]),
  ];
}

const executorsOf = (workerPort: number): readonly number[] =>
  processesOf({ programs: ['java'], argument: `spark://Worker@127.0.0.1:${workerPort}` });
