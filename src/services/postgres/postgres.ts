// A real PostgreSQL 18 from npm as a child process: no installation, no Docker, no socket folder, only 127.0.0.1.
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { findBinaries } from './binaries.ts';
import { serverIdentity } from './identity.ts';
import { ensureCluster, layout } from './initdb.ts';
import { type Launched, launch } from './launch.ts';
import { claimPort } from './port.ts';
import { postmasterPort, postmasterState, serverProcesses, stopOrphans } from './processes.ts';
import { LOCAL_SETTINGS, POSTGRES_SETTINGS } from './settings.ts';

export { ensureDatabase } from './ensure-database.ts';

export interface PostgresOptions {
  /** Folder of this server, made if missing: data/, password (0600), postgres.log. One process at a time may use it. */
  readonly dataDir: string;
  /** 0: a free one. */
  readonly port: number;
  /** A free one where that is taken; else it rejects with a UserError. */
  readonly orAnyPort?: boolean;
  /** Server settings over POSTGRES_SETTINGS. */
  readonly settings?: Readonly<Record<string, string>>;
  /**
   * true (the default): the server ends with this process, and one that ends unasked is started again. false: it stays,
   * and one that runs on the data folder is kept.
   */
  readonly tied?: boolean;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface PostgresServer {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  /** Connection URL of a database, password included. */
  url(database: string): string;
  /** Its processes now, for measuring. */
  pids(): readonly number[];
  /** Fast shutdown; resolves when the server is gone. */
  stop(): Promise<void>;
  /** Stops and starts on the same port and data. */
  restart(): Promise<void>;
}

/** Crash recovery after a kill can take a while; a server still at it after this is given up. */
const READY_MS_MAX = 120_000;
/** The watchdog's two tries take less; what is still there after this is stopped by its process id. */
const STOP_MS_MAX = 8_000;
const RESTART_DELAY_MS = 1_000;

/**
 * Starts the server on its data folder, making the cluster the first time. Servers that a killed run left in the
 * folder are stopped first. The server ends when this process does, however that ends; if it ends unasked, it is
 * started again. Rejects with a UserError when a person must mend something.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const { log, clock = systemClock, tied = true } = options;
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  const files = layout(dataDir);
  const binaries = findBinaries();
  const identity = serverIdentity([binaries.postgres, files.data]);
  const kept = tied ? null : runningOn(files.data);
  if (kept === null) {
    const orphans = await stopOrphans(files.data, clock);
    if (orphans > 0) log.warn('stopped a PostgreSQL that an earlier run left behind', { processes: orphans });
  } else if (options.port !== 0 && options.port !== kept) throw otherPort(kept);
  const port = kept ?? (await claimPort(options.port, options.orAnyPort));
  const password = await ensureCluster(dataDir, binaries, identity);
  const settings = { ...POSTGRES_SETTINGS, ...LOCAL_SETTINGS, ...options.settings, port: String(port) };

  let running: Launched | null = null;
  const start = async (): Promise<void> => {
    await stopOrphans(files.data, clock);
    identity.own(dataDir);
    const server = launch({ binaries, identity, data: files.data, logFile: files.log, settings, tied });
    await untilReady(server, files, clock);
    running = server;
    void server.exited.then((code) => {
      if (running === server && tied) void startAgain(code);
    });
  };
  const startAgain = async (code: number | null): Promise<void> => {
    const ended = running;
    log.error('PostgreSQL ended unasked; starting it again', { code, log: files.log });
    await clock.sleep(RESTART_DELAY_MS);
    if (running !== ended) return;
    await start().catch((error: Error) => {
      log.error('PostgreSQL does not start', { error });
      if (running === ended) void startAgain(null);
    });
  };
  const stop = async (): Promise<void> => {
    const server = running;
    running = null;
    if (tied) {
      if (server === null) return;
      server.stop();
      const gone = new AbortController();
      void server.exited.finally(() => gone.abort());
      await clock.sleep(STOP_MS_MAX, gone.signal);
    }
    await stopOrphans(files.data, clock);
  };

  if (kept === null) await start();
  return {
    port,
    user: 'postgres',
    password,
    url: (database) => `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    pids: () => serverProcesses(files.data),
    stop,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

/** Port of a ready server on the data folder, null when there is none. */
function runningOn(data: string): number | null {
  return postmasterState(data) === 'ready' && serverProcesses(data).length > 0 ? postmasterPort(data) : null;
}

const otherPort = (port: number): UserError =>
  new UserError(
    `PostgreSQL runs already on this folder, on port ${port}`,
    'Stop it first with `instashop cluster down`, or give the port it was started with.',
  );

/** Stops the server of a folder given as `dataDir`, whoever started it. Resolves with how many processes there were. */
export async function stopPostgres(dataDir: string, clock: Clock): Promise<number> {
  const data = postgresData(dataDir);
  return data === null ? 0 : stopOrphans(data, clock);
}

/** Processes of the server of a folder given as `dataDir`, the first of them the postmaster. */
export function postgresPids(dataDir: string): readonly number[] {
  const data = postgresData(dataDir);
  return data === null ? [] : [...serverProcesses(data)].sort((a, b) => a - b);
}

const postgresData = (dataDir: string): string | null =>
  existsSync(dataDir) ? layout(realpathSync(dataDir)).data : null;

/** Waits for the state "ready" in postmaster.pid, as pg_ctl does. */
async function untilReady(server: Launched, files: ReturnType<typeof layout>, clock: Clock): Promise<void> {
  let ended = false;
  const exited = server.exited.finally(() => {
    ended = true;
  });
  const until = clock.now() + READY_MS_MAX;
  while (!ended && postmasterState(files.data) !== 'ready') {
    if (clock.now() > until) {
      server.stop();
      throw new UserError('PostgreSQL does not get ready', `See its log: ${files.log}`);
    }
    await Promise.race([clock.sleep(10), exited]);
  }
  if (!ended) return;
  const said = readFileSync(files.log, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  throw new UserError(`PostgreSQL ended while starting: ${said}`, `See its log: ${files.log}`);
}
