// Valkey (a free Redis) as a process of this machine: no Docker, only 127.0.0.1, no user without a password.
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { freePorts, lastingPortFault } from '../free-ports.ts';
import { type Launched, launch } from '../launch.ts';
import { writePrivate } from '../private-file.ts';
import { type ProcessMark, processesOf, type StopSteps, sendSignal, stopProcesses } from '../processes.ts';
import { redisBinary } from './binary.ts';
import { aclText, configText, REDIS_ADMIN_USER, REDIS_RULES, REDIS_SETTINGS } from './settings.ts';

export interface RedisOptions {
  /** Folder of the server, made if missing. One process at a time may start a server on it. */
  readonly dataDir: string;
  /** null: a free one. */
  readonly port: number | null;
  /** User → password, of every user in REDIS_RULES. Taken at each start. */
  readonly users: Readonly<Record<string, string>>;
  /** true: the server ends with this process, however it ends. false: it stays, and one that runs is kept. */
  readonly tied: boolean;
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly cacheDir?: string | undefined;
  readonly filesUrl?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface RedisServer {
  readonly port: number;
  /** Connection string with name and password. */
  url(user: string): string;
  /** null: it does not run. */
  pid(): number | null;
  /** Starts it unless it runs; resolves when it answers. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Sends a signal to the process; waits for nothing. */
  kill(signal: NodeJS.Signals): void;
}

const READY_MS_MAX = 60_000;
const ANSWER_MS_MAX = 2_000;
const STOP_STEPS: StopSteps = [
  ['SIGCONT', 0],
  ['SIGTERM', 15_000],
  ['SIGKILL', 5_000],
];
const KILL_AFTER_S = 2;

const layout = (dataDir: string) => ({
  /** Names the server among processes. */
  config: join(dataDir, 'redis.conf'),
  acl: join(dataDir, 'users.acl'),
  data: join(dataDir, 'data'),
  output: join(dataDir, 'redis.log'),
});

/** How the process of the data folder is recognized. */
export const redisMark = (dataDir: string): ProcessMark => ({
  programs: ['valkey-server', 'redis-server', 'redis-check-rdb'],
  argument: layout(existsSync(dataDir) ? realpathSync(dataDir) : dataDir).config,
});

/** Stops the server of a data folder, whoever started it. Resolves with how many processes there were. */
export const stopRedis = (dataDir: string, clock: Clock): Promise<number> =>
  stopProcesses([redisMark(dataDir)], STOP_STEPS, clock);

/**
 * Starts the server, downloading Valkey the first time; resolves when it answers. Rejects with a UserError when a
 * person must mend something.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  const { users, tied, clock, log } = options;
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  const dataDir = realpathSync(options.dataDir);
  const missing = Object.keys(REDIS_RULES).find((user) => !users[user]);
  if (missing) throw new UserError(`the password of ${missing} is not known`, 'Put it into its secret.');
  const mark = redisMark(dataDir);
  if (tied && (await stopRedis(dataDir, clock)) > 0) log.warn('stopped a Redis that an earlier run left');
  const program = await redisBinary(options);
  const port = options.port ?? (await freePorts(1))[0]!;
  const pid = () => processesOf(mark)[0] ?? null;
  const start = async (): Promise<void> => {
    const launched = pid() === null ? await launchOn({ program, dataDir, port, users, tied, clock }) : null;
    await untilReady({ dataDir, port, users, clock, launched });
  };
  await start();
  return {
    port,
    url: (user) => `redis://${user}:${encodeURIComponent(users[user]!)}@127.0.0.1:${port}`,
    pid,
    start,
    stop: async () => {
      await stopProcesses([mark], STOP_STEPS, clock);
    },
    kill(signal) {
      const running = pid();
      if (running !== null) sendSignal(running, signal);
    },
  };
}

interface Launching extends Pick<RedisOptions, 'users' | 'tied' | 'clock'> {
  readonly program: string;
  readonly dataDir: string;
  readonly port: number;
}

async function launchOn({ program, dataDir, port, users, tied, clock }: Launching): Promise<Launched> {
  const fault = await lastingPortFault(port, clock);
  if (fault !== null) {
    const remedy = 'Stop that program, or choose another port.';
    throw new UserError(`Redis cannot listen on 127.0.0.1:${port}: ${fault}`, remedy);
  }
  const files = layout(dataDir);
  mkdirSync(files.data, { recursive: true, mode: 0o700 });
  writePrivate(files.acl, aclText(users));
  const place = {
    bind: '127.0.0.1',
    port: String(port),
    dir: files.data,
    aclfile: files.acl,
    daemonize: 'no',
    // The title would hide the path it is known by.
    'set-proc-title': 'no',
  };
  writePrivate(files.config, configText({ ...REDIS_SETTINGS, ...place }));
  return launch({
    command: [program, files.config],
    cwd: dataDir,
    outputFile: files.output,
    tied: tied ? { signal: 'TERM', killAfterS: KILL_AFTER_S } : null,
  });
}

interface Waiting extends Pick<RedisOptions, 'users' | 'clock'> {
  readonly dataDir: string;
  readonly port: number;
  readonly launched: Launched | null;
}

async function untilReady({ dataDir, port, users, clock, launched }: Waiting): Promise<void> {
  const { output } = layout(dataDir);
  let ended = false;
  void launched?.exited
    .catch(() => null)
    .then(() => {
      ended = true;
    });
  const until = clock.now() + READY_MS_MAX;
  for (;;) {
    const answer = await askRedis(port, users[REDIS_ADMIN_USER]!, 'PING').catch(() => '');
    if (answer.includes('+PONG')) return;
    if (answer.includes('WRONGPASS')) {
      throw new UserError(
        `the Redis on port ${port} refuses the password of ${REDIS_ADMIN_USER}`,
        'It was started with other secrets, or is another server: stop it, then start again.',
      );
    }
    if (ended) {
      const said = readFileSync(output, 'utf8').trimEnd().split('\n').slice(-3).join('\n');
      throw new UserError(`Redis ended while starting: ${said}`, `See its log: ${output}`);
    }
    if (clock.now() > until) throw new UserError('Redis does not get ready', `See its log: ${output}`);
    await clock.sleep(20);
  }
}

/** What the server answers the administrator, as it comes over the wire. Rejects where there is no server. */
export const askRedis = (port: number, password: string, command: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    let answer = '';
    socket.setTimeout(ANSWER_MS_MAX, () => socket.destroy(new Error('no answer')));
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.once('error', reject).once('end', () => resolve(answer));
    socket.write(`AUTH ${REDIS_ADMIN_USER} ${password}\r\n${command}\r\nQUIT\r\n`);
  });
