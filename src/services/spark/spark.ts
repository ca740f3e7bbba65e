// Spark standalone (master, workers, Connect server) as processes of this machine: no Docker, only 127.0.0.1.
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { lastingPortFault } from '../free-ports.ts';
import { lastWords } from '../last-words.ts';
import { writePrivate } from '../private-file.ts';
import { processesOf, processFinder, type StopSteps, sendSignal, stopProcesses } from '../processes.ts';
import { portFindings, sparkFindings } from './findings.ts';
import { installSpark } from './installation.ts';
import {
  type LaunchParts,
  launchProcess,
  type Place,
  type Start,
  settingsText,
  startOf,
  writeShared,
} from './launching.ts';
import { layout, processLayout, sparkMark, sparkProcessMark } from './layout.ts';
import { connectState, type MasterState, masterState } from './probe.ts';
import { sparkProcesses } from './processes.ts';
import type { KafkaLogin, Settings, SparkPorts, SparkSizes } from './settings.ts';
import { train } from './training.ts';
import { watch } from './watch.ts';

export interface SparkOptions {
  /** Folder of the cluster, made if missing. One process at a time may start servers on it. */
  readonly dataDir: string;
  /** Also says how many workers there are. */
  readonly ports: SparkPorts;
  readonly sizes: SparkSizes;
  /** What clients of the Connect server show: 8 letters or more. */
  readonly token: string;
  /** As whom driver and executors read and write Kafka; null: a Kafka without users. */
  readonly kafkaLogin: KafkaLogin | null;
  /** More of the driver's settings (`spark.…`), before those of settings.ts. */
  readonly settings?: Settings;
  /** true: the processes end with this one, however it ends. false: they stay, and those that run are kept. */
  readonly tied: boolean;
  /** Of downloads. */
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly cacheDir?: string | undefined;
  readonly mavenUrl?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SparkProcess extends Place {
  /** null: it does not run. */
  pid(): number | null;
  /** Starts it unless it runs; resolves when it takes part again. Rejects with a UserError where it does not. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Sends a signal to the process; waits for nothing. */
  kill(signal: NodeJS.Signals): void;
}

export interface SparkCluster {
  /** http://127.0.0.1:port of the Connect server. */
  readonly connectUrl: string;
  readonly masterUiUrl: string;
  /** Folder that driver and executors reach; what queries keep there outlives the cluster. */
  readonly checkpointDir: string;
  /** Master, workers, Connect server. */
  readonly processes: readonly SparkProcess[];
  executorPids(): readonly number[];
  /** What the master says; null where it does not answer. */
  state(): Promise<MasterState | null>;
  /** Starts each process again that ends, until the signal aborts. */
  watch(signal: AbortSignal): Promise<void>;
  /** Stops all, executors included. */
  stop(): Promise<void>;
}

const READY_MS_MAX = 180_000;
const LOOK_MS = 100;
const STOP_STEPS: StopSteps = [
  ['SIGCONT', 0],
  ['SIGTERM', 10_000],
  ['SIGKILL', 5_000],
];

/** Stops the cluster of a data folder, whoever started it. Resolves with how many processes ran. */
export function stopSpark(dataDir: string, clock: Clock): Promise<number> {
  rmSync(layout(dataDir).wanted, { force: true });
  return stopProcesses([sparkMark(dataDir)], STOP_STEPS, clock);
}

/** Whether somebody started a cluster on the data folder and nobody has stopped it, whatever runs of it now. */
export const isSparkWanted = (dataDir: string): boolean => existsSync(layout(dataDir).wanted);

/** A cluster that somebody started with the same options. Starts nothing. */
export async function attachSpark(options: SparkOptions): Promise<SparkCluster> {
  const dataDir = realpathSync(options.dataDir);
  const installation = await installSpark(options);
  return new Cluster({ ...options, dataDir, installation, archive: installation.archive.options() });
}

/**
 * Starts what does not run, downloading Spark the first time; resolves when the Connect server answers and the workers
 * take part. Rejects with a UserError when a person must mend something, in most cases before anything was started.
 */
export async function startSpark(options: SparkOptions): Promise<SparkCluster> {
  const { tied, clock, log, sizes, cacheDir, ports } = options;
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(options.dataDir);
  checkSecrets(options);
  if (tied && (await stopSpark(dataDir, clock)) > 0) log.warn('stopped a Spark that an earlier run left');
  const [finding] = await sparkFindings({ dataDir, ports, sizes, cacheDir });
  if (finding) throw new UserError(finding.what, finding.remedy);
  const installation = await installSpark(options);
  const parts = { ...options, dataDir, installation };
  await installation.archive.ensure((jvm, folder) => train({ ...parts, jvm, folder }));
  const cluster = new Cluster({ ...parts, archive: installation.archive.options() });
  try {
    await cluster.start();
  } catch (error) {
    if (tied) await cluster.stop();
    throw error;
  }
  return cluster;
}

/** They stand in settings between quotes, and in a header. */
function checkSecrets({ token, kafkaLogin }: SparkOptions): void {
  const secrets = {
    'the Connect token': token,
    ...(kafkaLogin && { [kafkaLogin.username]: kafkaLogin.password }),
  };
  for (const [name, secret] of Object.entries(secrets)) {
    if (/^[\w.+/=-]{8,200}$/.test(secret)) continue;
    throw new UserError(
      `the secret of ${name} cannot be used for Spark`,
      'Use 8 to 200 letters, digits and . _ + / = - in it.',
    );
  }
}

interface ClusterParts extends SparkOptions, LaunchParts {}

class Cluster implements SparkCluster {
  readonly #parts: ClusterParts;
  readonly processes: readonly SparkProcess[];
  readonly connectUrl: string;
  readonly masterUiUrl: string;
  readonly checkpointDir: string;

  constructor(parts: ClusterParts) {
    const { dataDir, ports, clock } = parts;
    this.#parts = parts;
    this.connectUrl = `http://127.0.0.1:${ports.connect}`;
    this.masterUiUrl = `http://127.0.0.1:${ports.masterUi}`;
    this.checkpointDir = layout(dataDir).checkpoints;
    this.processes = sparkProcesses(dataDir, ports).map(({ name, kind, ports: own }) => {
      const place: Place = { name, kind, ports: own };
      const mark = sparkProcessMark(dataDir, name);
      const pid = processFinder(mark);
      return {
        ...place,
        pid,
        start: () => this.#start(place, pid() === null),
        stop: async () => {
          await stopProcesses([mark], STOP_STEPS, clock);
        },
        kill(signal) {
          const running = pid();
          if (running !== null) sendSignal(running, signal);
        },
      };
    });
  }

  async start(): Promise<void> {
    const { dataDir } = this.#parts;
    const [master, ...others] = this.processes;
    if (processesOf(sparkMark(dataDir)).length === 0) {
      // Of processes that have gone.
      const { recovery, work, scratch, temp } = layout(dataDir);
      for (const folder of [recovery, work, scratch, temp]) rmSync(folder, { recursive: true, force: true });
    }
    writeShared(this.#parts);
    writePrivate(layout(dataDir).wanted, '');
    // The others try it once, then wait for 20 s.
    await master!.start();
    const ended = await Promise.allSettled(others.map((process) => process.start()));
    const failed = ended.find((one) => one.status === 'rejected');
    if (failed) throw failed.reason;
  }

  executorPids(): readonly number[] {
    const { dataDir, ports } = this.#parts;
    return sparkProcesses(dataDir, ports).flatMap(({ executorPids }) => executorPids);
  }

  state(): Promise<MasterState | null> {
    return masterState(this.#parts.ports.masterUi);
  }

  watch(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts;
    const isWanted = () => isSparkWanted(this.#parts.dataDir);
    return watch(this.processes, { clock, log, isWanted, signal });
  }

  async stop(): Promise<void> {
    await stopSpark(this.#parts.dataDir, this.#parts.clock);
  }

  async #start(place: Place, isMissing: boolean): Promise<void> {
    const start = startOf(this.#parts, place);
    if (!isMissing) {
      this.#checkSame(place.name, start);
      return this.#untilReady(place, new Promise(() => undefined));
    }
    const [taken] = await portFindings(place, (port) => lastingPortFault(port, this.#parts.clock));
    if (taken) throw new UserError(taken.what, taken.remedy);
    await this.#untilReady(place, launchProcess(this.#parts, place.name, start));
  }

  /** One that runs must be what it would be started as. */
  #checkSame(name: string, start: Start): void {
    const { settings } = processLayout(this.#parts.dataDir, name);
    // Whether there is a class archive makes no difference.
    const compared = (text: string) => text.replace(/^spark\.executor\.extraJavaOptions=.*$/m, '');
    const found = existsSync(settings) ? readFileSync(settings, 'utf8') : '';
    if (compared(found) === compared(settingsText(start))) return;
    throw new UserError(
      `Spark's ${name} runs already, with other settings`,
      'Stop it first with `instashop cluster down`, or give the options it was started with.',
    );
  }

  async #untilReady(place: Place, exited: Promise<number | null>): Promise<void> {
    const { clock, dataDir } = this.#parts;
    const { log, output } = processLayout(dataDir, place.name);
    let over = false;
    void exited
      .catch(() => null)
      .then(() => {
        over = true;
      });
    const until = clock.now() + READY_MS_MAX;
    while (!(await this.#isReady(place))) {
      if (over) {
        const what = `Spark's ${place.name} ended while starting: ${lastWords([log, output])}`;
        throw new UserError(what, `See its logs: ${log}, ${output}`);
      }
      if (clock.now() > until) {
        throw new UserError(`Spark's ${place.name} does not get ready`, `See its logs: ${log}, ${output}`);
      }
      await clock.sleep(LOOK_MS);
    }
  }

  async #isReady({ kind, ports: own }: Place): Promise<boolean> {
    const { ports, token } = this.#parts;
    if (kind !== 'connect') {
      const state = await masterState(ports.masterUi);
      if (kind === 'master') return state?.isAlive === true;
      return state?.workerPorts.includes(own[1]!) === true;
    }
    const state = await connectState(ports.connect, token);
    if (state !== 'refused') return state === 'ready';
    throw new UserError(
      `the Connect server on port ${ports.connect} refuses the token`,
      'It was started with another one, or is another server: stop it, then start again.',
    );
  }
}
