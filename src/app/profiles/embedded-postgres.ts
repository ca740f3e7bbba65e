// The PostgreSQL of the embedded profile, and how other processes of the same data folder find it.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { ensureDatabase, startPostgres } from '../../services/postgres/postgres.ts';
import { writePrivate } from '../../services/private-file.ts';
import { takeLock } from '../lock.ts';
import { POSTGRES_PORT } from '../ports.ts';

const DATABASES = ['instashop', 'crm_db', 'dwh_db'] as const;
type Database = (typeof DATABASES)[number];

export interface EmbeddedPostgres {
  /** Connection string, password included. */
  url(database: Database): string;
  readonly port: number;
  /** A command line for people that holds no secret. */
  readonly psql: string;
  stop(): Promise<void>;
}

interface Connection {
  readonly pid: number;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

export interface EmbeddedPostgresOptions {
  readonly dataDir: string;
  /** null: the usual one, or a free one where that is taken. */
  readonly port: number | null;
  readonly clock: Clock;
  readonly log: Log;
}

/** Starts the server with its databases. It ends with this process. */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { port, clock, log } = options;
  const dataDir = resolve(options.dataDir);
  mkdirSync(dataDir, { recursive: true });
  const lock = takeLock(dataDir, 'postgres');
  const server = await startPostgres({
    dataDir: join(dataDir, 'postgres'),
    port: port ?? POSTGRES_PORT,
    orAnyPort: port === null,
    clock,
    log,
  });
  const stop = async () => {
    rmSync(connectionFile(dataDir), { force: true });
    await server.stop();
    lock.release();
  };
  try {
    for (const name of DATABASES) await ensureDatabase(server.url('postgres'), name);
    const { user, password } = server;
    const connection = { pid: process.pid, port: server.port, user, password };
    writePrivate(connectionFile(dataDir), JSON.stringify(connection));
    writePrivate(passwordFile(dataDir), `127.0.0.1:${server.port}:*:${user}:${password}\n`);
    return { ...connected(dataDir, connection), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The server that another process of this data folder started. Rejects with a UserError when there is none. */
export async function findEmbeddedPostgres(folder: string): Promise<EmbeddedPostgres> {
  const dataDir = resolve(folder);
  let connection: Connection | null = null;
  try {
    connection = JSON.parse(readFileSync(connectionFile(dataDir), 'utf8'));
  } catch {
    // None was started, or it was stopped.
  }
  if (connection === null || !isAlive(connection.pid)) {
    throw new UserError(
      `no embedded PostgreSQL runs on ${dataDir}`,
      'Start it in another terminal with `instashop postgres`, or name your own: --shop-url and --dwh-url.',
    );
  }
  return { ...connected(dataDir, connection), stop: async () => undefined };
}

function connected(dataDir: string, { port, user, password }: Connection): Omit<EmbeddedPostgres, 'stop'> {
  const host = `host=127.0.0.1 port=${port} user=${user} dbname=instashop`;
  return {
    url: (database) => `postgres://${user}:${password}@127.0.0.1:${port}/${database}`,
    port,
    psql: `psql "${host} passfile='${quoted(passwordFile(dataDir))}'"`,
  };
}

/** A value of a connection string (libpq) that stands within a shell's double quotes. */
function quoted(value: string): string {
  const text = value.replace(/['\\]/g, '\\$&');
  return process.platform === 'win32' ? text : text.replace(/[\\"$`]/g, '\\$&');
}

const connectionFile = (dataDir: string): string => join(dataDir, 'postgres.json');
const passwordFile = (dataDir: string): string => join(dataDir, 'pgpass');

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
