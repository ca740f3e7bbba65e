// Three Kafka brokers (KRaft, each also a controller) as processes of this machine: no Docker, only 127.0.0.1.
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { freePorts, lastingPortFault } from '../free-ports.ts';
import { lastWords } from '../last-words.ts';
import { type Launched, launch } from '../launch.ts';
import { writePrivate } from '../private-file.ts';
import { type ProcessMark, processesOf, type StopSteps, sendSignal, stopProcesses } from '../processes.ts';
import { clusterId, formatNode, nodeLayout } from './format.ts';
import { type Installation, installKafka } from './installation.ts';
import { loggingText } from './logging.ts';
import { brokersSeenAt, ensureUsers, isRefusal, type Login } from './probe.ts';
import {
  ADMIN_USER,
  BROKER_USER,
  CLUSTER_SETTINGS,
  NODE_IDS,
  type NodePlace,
  nodeSettings,
  propertiesText,
} from './settings.ts';

export interface KafkaOptions {
  /** Folder of the cluster, made if missing: a folder a node. One process at a time may start servers on it. */
  readonly dataDir: string;
  /** One a node; null: free ones. */
  readonly ports: readonly number[] | null;
  readonly controllerPorts: readonly number[] | null;
  /** User → password. Those of ADMIN_USER and BROKER_USER are taken when the data is made, the others at each start. */
  readonly users: Readonly<Record<string, string>>;
  /** true: the servers end with this process, however it ends. false: they stay, and those that run are kept. */
  readonly tied: boolean;
  /** Of downloads. */
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly cacheDir?: string | undefined;
  readonly mavenUrl?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface KafkaNode extends NodePlace {
  /** null: it does not run. */
  pid(): number | null;
  /** Starts it unless it runs; resolves when it takes part again. */
  start(): Promise<void>;
  /** Asks it to hand over and end; resolves when it is gone. */
  stop(): Promise<void>;
  /** Sends a signal to the process; waits for nothing. */
  kill(signal: NodeJS.Signals): void;
}

export interface KafkaCluster {
  /** host:port of each node. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaNode[];
  /** Stops all nodes together; nothing that was acknowledged is lost. */
  stop(): Promise<void>;
}

/** A start after kill -9 reads logs again. */
const READY_MS_MAX = 120_000;
/** A broker that has just started may not know the users yet. */
const REFUSED_MS_MAX = 10_000;
const STOP_STEPS: StopSteps = [
  ['SIGCONT', 0],
  ['SIGTERM', 20_000],
  ['SIGKILL', 5_000],
];
const ALONE_MS_MAX = 6_000;
const KILL_AFTER_S = 2;

/** How the processes of the data folder are recognized, in the order of NODE_IDS. */
export const kafkaMarks = (dataDir: string): readonly ProcessMark[] =>
  NODE_IDS.map((id) => ({ programs: ['java'], argument: nodeLayout(real(dataDir), id).settings }));

/** Stops the cluster of a data folder, whoever started it. Resolves with how many nodes ran. */
export const stopKafka = (dataDir: string, clock: Clock): Promise<number> =>
  stopTogether(kafkaMarks(dataDir), clock);

/**
 * A node that ends hands over within 1 to 6 s, but the last one may wait for minutes for a majority that is gone.
 * Nothing that was acknowledged is lost when it is killed then: the others have it too, and what a process wrote
 * outlives it.
 */
async function stopTogether(marks: readonly ProcessMark[], clock: Clock): Promise<number> {
  let aloneSince: number | null = null;
  const left = () => marks.flatMap(processesOf).length;
  const isGivenUp = (): boolean => {
    if (left() === 1) aloneSince ??= clock.now();
    return aloneSince !== null && clock.now() - aloneSince > ALONE_MS_MAX;
  };
  const found = left();
  const asked = stopProcesses(marks, STOP_STEPS, clock);
  let over = false;
  const ended = asked.finally(() => {
    over = true;
  });
  while (found > 1 && !over) {
    await Promise.race([clock.sleep(200), ended]);
    if (!over && isGivenUp()) for (const pid of marks.flatMap(processesOf)) sendSignal(pid, 'SIGKILL');
  }
  return ended;
}

const real = (path: string): string => (existsSync(path) ? realpathSync(path) : path);

/**
 * Starts the cluster, downloading Kafka and making the data folders the first time; resolves when every node sees the
 * others. Rejects with a UserError when a person must mend something.
 */
export async function startKafka(options: KafkaOptions): Promise<KafkaCluster> {
  const { tied, clock, log } = options;
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  checkUsers(options.users);
  if (tied && (await stopKafka(dataDir, clock)) > 0)
    log.warn('stopped brokers that an earlier run left behind');
  const installation = await installKafka(options);
  await installation.ensureArchive((jvm, folder) => train({ ...options, installation, jvm, folder }));
  const cluster = new Cluster({ ...options, dataDir, installation, places: await places(options) });
  try {
    await cluster.start();
  } catch (error) {
    if (tied) await cluster.stop();
    throw error;
  }
  return cluster;
}

async function places({ ports, controllerPorts }: KafkaOptions): Promise<readonly NodePlace[]> {
  const free = await freePorts(NODE_IDS.length * 2);
  return NODE_IDS.map((id, index) => ({
    id,
    port: ports?.[index] ?? free[index]!,
    controllerPort: controllerPorts?.[index] ?? free[NODE_IDS.length + index]!,
  }));
}

/** They stand in settings between quotes, and in the formatter's arguments between brackets. */
function checkUsers(users: Readonly<Record<string, string>>): void {
  for (const name of [ADMIN_USER, BROKER_USER, ...Object.keys(users)]) {
    if (/^[\w.+/=-]{8,200}$/.test(users[name] ?? '')) continue;
    throw new UserError(
      `the password of ${name} cannot be used for Kafka`,
      'Use 8 to 200 letters, digits and . _ + / = - in its secret.',
    );
  }
}

interface ClusterParts extends KafkaOptions {
  readonly installation: Installation;
  readonly places: readonly NodePlace[];
}

class Cluster implements KafkaCluster {
  readonly #parts: ClusterParts;
  readonly #marks: readonly ProcessMark[];
  readonly nodes: readonly KafkaNode[];
  readonly brokers: readonly string[];

  constructor(parts: ClusterParts) {
    this.#parts = parts;
    this.#marks = kafkaMarks(parts.dataDir);
    this.brokers = parts.places.map(({ port }) => `127.0.0.1:${port}`);
    this.nodes = parts.places.map((place, index) => ({
      ...place,
      pid: () => this.#pid(index),
      start: async () => this.#untilReady([place], this.#launch(place, index)),
      stop: async () => {
        await stopProcesses([this.#marks[index]!], STOP_STEPS, parts.clock);
      },
      kill: (signal) => {
        const pid = this.#pid(index);
        if (pid !== null) sendSignal(pid, signal);
      },
    }));
  }

  async start(): Promise<void> {
    const { dataDir, installation, users, places } = this.#parts;
    const id = clusterId(dataDir);
    const missing = places.filter((_, index) => this.#pid(index) === null);
    await this.#checkPorts(missing);
    await Promise.all(
      places.map((place) => {
        const files = nodeLayout(dataDir, place.id);
        const settings = this.#settings(place);
        this.#write(place);
        return formatNode({ installation, files, settings, clusterId: id, users });
      }),
    );
    const launched = places.flatMap((place, index) => this.#launch(place, index));
    await this.#untilReady(places, launched);
    // Those two are what brokers and this launcher work with: they stay as the data was made with.
    const { [ADMIN_USER]: password, [BROKER_USER]: _, ...others } = users;
    await ensureUsers(places[0]!.port, { username: ADMIN_USER, password: password! }, others);
  }

  async stop(): Promise<void> {
    await stopTogether(this.#marks, this.#parts.clock);
  }

  #pid(index: number): number | null {
    return processesOf(this.#marks[index]!)[0] ?? null;
  }

  #settings(place: NodePlace): Readonly<Record<string, string>> {
    const { dataDir, places, users } = this.#parts;
    const { data } = nodeLayout(dataDir, place.id);
    return { ...CLUSTER_SETTINGS, ...nodeSettings(place, places, data, users[BROKER_USER]!) };
  }

  /** Writes the node's files; those of a running node must be what it was started with. */
  #write(place: NodePlace): void {
    const files = nodeLayout(this.#parts.dataDir, place.id);
    const text = propertiesText(this.#settings(place));
    if (this.#pid(this.#parts.places.indexOf(place)) !== null) {
      if (listenersOf(readFileSync(files.settings, 'utf8')) === listenersOf(text)) return;
      throw new UserError(
        `Kafka node ${place.id} runs already, on other ports`,
        'Stop it first with `instashop cluster down`, or give the ports it was started with.',
      );
    }
    mkdirSync(files.dir, { recursive: true, mode: 0o700 });
    writePrivate(files.settings, text);
    writePrivate(files.logging, loggingText(files.log));
  }

  async #checkPorts(missing: readonly NodePlace[]): Promise<void> {
    for (const { id, port, controllerPort } of missing) {
      for (const wanted of [port, controllerPort]) {
        const fault = await lastingPortFault(wanted, this.#parts.clock);
        if (fault === null) continue;
        throw new UserError(
          `Kafka node ${id} cannot listen on 127.0.0.1:${wanted}: ${fault}`,
          'Stop that program, or choose other ports.',
        );
      }
    }
  }

  /** Starts the node unless it runs. */
  #launch(place: NodePlace, index: number): readonly Started[] {
    if (this.#pid(index) !== null) return [];
    const { dataDir, installation, tied } = this.#parts;
    const files = nodeLayout(dataDir, place.id);
    const { exited } = launch({
      command: installation.command(
        'kafka.Kafka',
        [files.settings],
        [`-Dlog4j2.configurationFile=${files.logging}`],
      ),
      cwd: files.dir,
      outputFile: files.output,
      tied: tied ? { signal: 'TERM', killAfterS: KILL_AFTER_S } : null,
    });
    return [{ place, exited }];
  }

  /** Resolves when these nodes answer, and each sees every node that runs. */
  async #untilReady(places: readonly NodePlace[], launched: readonly Started[]): Promise<void> {
    const { clock, users, dataDir } = this.#parts;
    const login = { username: ADMIN_USER, password: users[ADMIN_USER]! };
    const ended = new Map<NodePlace, number | null>();
    for (const { place, exited } of launched) {
      void exited.then((code) => ended.set(place, code)).catch(() => ended.set(place, null));
    }
    const running = () => this.nodes.filter((node) => node.pid() !== null).map(({ id }) => id);
    const until = clock.now() + READY_MS_MAX;
    let answeredAt = clock.now();
    for (const place of places) {
      const { log } = nodeLayout(dataDir, place.id);
      for (;;) {
        const [dead] = ended.keys();
        if (dead) throw endedWhileStarting(dead, dataDir);
        const state = await stateOf(place, login, running());
        if (state === 'ready') break;
        if (state !== 'refused') answeredAt = clock.now();
        if (clock.now() - answeredAt > REFUSED_MS_MAX) throw refused(dataDir);
        if (clock.now() > until) {
          throw new UserError(`Kafka node ${place.id} does not get ready (${state})`, `See its log: ${log}`);
        }
        await clock.sleep(50);
      }
    }
  }
}

interface Started extends Launched {
  readonly place: NodePlace;
}

const listenersOf = (settings: string): string | undefined =>
  settings.match(/^(listeners|controller\.quorum\.voters)=.*$/gm)?.join('\n');

async function stateOf(
  { port }: NodePlace,
  login: Login,
  wanted: readonly number[],
): Promise<'ready' | 'refused' | 'alone' | 'silent'> {
  try {
    const seen = await brokersSeenAt(port, login);
    return wanted.every((id) => seen.has(id)) ? 'ready' : 'alone';
  } catch (error) {
    return isRefusal(error) ? 'refused' : 'silent';
  }
}

function endedWhileStarting({ id }: NodePlace, dataDir: string): UserError {
  const { output, log } = nodeLayout(dataDir, id);
  return new UserError(
    `Kafka node ${id} ended while starting: ${lastWords([log, output])}`,
    `See its logs: ${log}, ${output}`,
  );
}

const refused = (dataDir: string): UserError =>
  new UserError(
    `Kafka refuses the password of ${ADMIN_USER}: the data in ${dataDir} was made with another one`,
    'Bring the secrets back that it was made with, or start over with an empty data folder.',
  );

/** Runs one broker for a moment, so that the JVM can note which classes a broker needs. */
async function train(
  parts: KafkaOptions & { installation: Installation; jvm: readonly string[]; folder: string },
): Promise<void> {
  const { installation, jvm, folder, users, clock } = parts;
  const [port, controllerPort] = (await freePorts(2)) as [number, number];
  const place = { id: 1, port, controllerPort };
  const files = nodeLayout(folder, place.id);
  const settings = {
    ...CLUSTER_SETTINGS,
    ...nodeSettings(place, [place], files.data, users[BROKER_USER]!),
  };
  mkdirSync(files.dir, { recursive: true, mode: 0o700 });
  writePrivate(files.settings, propertiesText(settings));
  writePrivate(files.logging, loggingText(files.log));
  await formatNode({ installation, files, settings, clusterId: clusterId(folder), users });
  const { exited } = launch({
    command: installation.command(
      'kafka.Kafka',
      [files.settings],
      [...jvm, `-Dlog4j2.configurationFile=${files.logging}`],
    ),
    cwd: files.dir,
    outputFile: join(folder, 'output.log'),
    tied: { signal: 'TERM', killAfterS: KILL_AFTER_S },
  });
  let over = false;
  void exited.finally(() => {
    over = true;
  });
  const login = { username: ADMIN_USER, password: users[ADMIN_USER]! };
  const until = clock.now() + READY_MS_MAX;
  while (!over && clock.now() < until && (await stateOf(place, login, [1])) !== 'ready')
    await clock.sleep(100);
  await stopProcesses([{ programs: ['java'], argument: files.settings }], STOP_STEPS, clock);
}
