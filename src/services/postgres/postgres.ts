// A real PostgreSQL 18 from npm as a child process: no installation, no Docker, no socket folder, only 127.0.0.1.
import { mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { findBinaries } from './binaries.ts';
import { serverIdentity } from './identity.ts';
import { ensureCluster, layout } from './initdb.ts';
import { type Launched, launch } from './launch.ts';
import { claimPort } from './port.ts';
import { serverProcesses, stopOrphans } from './processes.ts';

export { ensureDatabase } from './ensure-database.ts';

export interface PostgresOptions {
  /** Folder of this server, made if missing: data/, password (0600), postgres.log. One process at a time may use it. */
  readonly dataDir: string;
  /** 0: a free one. */
  readonly port: number;
  /** A free one where that is taken; else it rejects with a UserError. */
  readonly orAnyPort?: boolean;
  /** Server settings over the defaults below. */
  readonly settings?: Readonly<Record<string, string>>;
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

/** Small memory, durable commits, logical decoding; a slot nobody reads cannot fill the disk. */
const DEFAULTS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  timezone: 'UTC',
  log_timezone: 'UTC',
  wal_level: 'logical',
  max_replication_slots: '20',
  max_wal_senders: '20',
  // A flood that capture is minutes behind must not cost it the slot; more would cost the disk.
  max_slot_wal_keep_size: '4GB',
  shared_buffers: '32MB',
  io_method: 'sync',
  jit: 'off',
  log_checkpoints: 'off',
};

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
  const { log, clock = systemClock } = options;
  mkdirSync(options.dataDir, { recursive: true });
  const dataDir = realpathSync(options.dataDir);
  const files = layout(dataDir);
  const binaries = findBinaries();
  const identity = serverIdentity([binaries.postgres, files.data]);
  const orphans = await stopOrphans(files.data, clock);
  if (orphans > 0) log.warn('stopped a PostgreSQL that an earlier run left behind', { processes: orphans });
  const port = await claimPort(options.port, options.orAnyPort);
  const password = await ensureCluster(dataDir, binaries, identity);
  const settings = { ...DEFAULTS, ...options.settings, port: String(port) };

  let running: Launched | null = null;
  const start = async (): Promise<void> => {
    await stopOrphans(files.data, clock);
    identity.own(dataDir);
    const server = launch({ binaries, identity, data: files.data, logFile: files.log, settings });
    await untilReady(server, files, clock);
    running = server;
    void server.exited.then((code) => {
      if (running === server) void startAgain(code);
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
    if (server === null) return;
    server.stop();
    const gone = new AbortController();
    void server.exited.finally(() => gone.abort());
    await clock.sleep(STOP_MS_MAX, gone.signal);
    await stopOrphans(files.data, clock);
  };

  await start();
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

/** Waits for the state "ready" in postmaster.pid, as pg_ctl does. */
async function untilReady(server: Launched, files: ReturnType<typeof layout>, clock: Clock): Promise<void> {
  let ended = false;
  const exited = server.exited.finally(() => {
    ended = true;
  });
  const until = clock.now() + READY_MS_MAX;
  while (!ended && !isReady(files.data)) {
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

function isReady(data: string): boolean {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[7]?.trim() === 'ready';
  } catch {
    return false;
  }
}
