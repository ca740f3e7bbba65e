import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessMark } from '../processes.ts';

/** The folders of a Spark cluster. Only `checkpoints` outlives it. */
export const layout = (dataDir: string) => ({
  /** What queries have processed, and the values they hold: driver and executors write here. */
  checkpoints: join(dataDir, 'checkpoints'),
  /** What a master that is started again knows of its workers and of the driver. */
  recovery: join(dataDir, 'recovery'),
  /** Of workers: a folder an executor, with what it says. */
  work: join(dataDir, 'work'),
  /** Open state stores and shuffled rows. */
  scratch: join(dataDir, 'scratch'),
  /** Native libraries, unpacked by each JVM. */
  temp: join(dataDir, 'temp'),
  /** There as long as the cluster is to run: what ends meanwhile may be started again. */
  wanted: join(dataDir, 'wanted'),
  executorLogging: join(dataDir, 'executor-logging.properties'),
  /** Holds a password. */
  jaas: join(dataDir, 'jaas.conf'),
});

/** The files of one process. */
export const processLayout = (dataDir: string, name: string) => ({
  /** Names it among processes. Holds a secret. */
  settings: join(dataDir, `${name}.properties`),
  logging: join(dataDir, `${name}-logging.properties`),
  log: join(dataDir, `${name}.log`),
  /** What it says before it logs. */
  output: join(dataDir, `${name}.out`),
});

/** A JVM option that every process of the cluster has, its executors included. */
export const folderOption = (dataDir: string): string => `-Dinstashop.spark=${dataDir}`;

const real = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

/** How all processes of the data folder are recognized. */
export const sparkMark = (dataDir: string): ProcessMark => ({
  programs: ['java'],
  argument: folderOption(real(dataDir)),
});

/** How one process of the data folder is recognized: `master`, `worker-1`, …, `connect`. */
export const sparkProcessMark = (dataDir: string, name: string): ProcessMark => ({
  programs: ['java'],
  argument: processLayout(real(dataDir), name).settings,
});
