import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { UserError } from '../../lib/errors.ts';
import type { Binaries } from './binaries.ts';
import type { Identity } from './identity.ts';

/**
 * Runs PostgreSQL ("$@") and reads descriptor 3, a pipe whose other end only the parent holds. However the parent ends,
 * kill -9 included, the pipe closes, and PostgreSQL is stopped: fast, and at once where a client holds that up.
 */
const WATCHDOG = `
exec 3<&0
"$@" 3<&- &
server=$!
( while read -r line; do :; done; kill -INT $server; sleep 6; kill -QUIT $server ) <&3 2>/dev/null &
watchdog=$!
exec 3<&-
wait $server
code=$?
kill $watchdog 2>/dev/null
exit $code
`;

/** The server's log is cut when a start finds it larger than this. */
const LOG_BYTES_MAX = 4 << 20;

export interface Launched {
  /** Resolves when the server has ended, with its exit code. */
  readonly exited: Promise<number | null>;
  /** Asks the server to end; `exited` tells when it has. */
  stop(): void;
}

export interface LaunchOptions {
  readonly binaries: Binaries;
  readonly identity: Identity;
  /** PGDATA. */
  readonly data: string;
  readonly logFile: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Whether the server ends with this process. */
  readonly tied: boolean;
}

/** Starts the server in a process group of its own, so that Ctrl-C reaches only those who drain first. */
export function launch({ binaries, identity, data, logFile, settings, tied }: LaunchOptions): Launched {
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = [binaries.postgres, '-D', data, ...flags];
  const log = openSync(logFile, isLarge(logFile) ? 'w' : 'a', 0o600);
  try {
    const options: SpawnOptions = { ...identity.ids, detached: true, stdio: ['pipe', log, log], cwd: data };
    if (process.platform === 'win32') {
      const child = spawn(server[0]!, server.slice(1), { ...options, windowsHide: true });
      const stop = () => spawn(binaries.pgCtl, ['stop', '-D', data, '-m', 'fast'], { windowsHide: true });
      return { exited: exitOf(child), stop };
    }
    const watchdog = tied ? ['/bin/sh', '-c', WATCHDOG, 'instashop-postgres'] : [];
    const [program, ...args] = [...identity.prefix, ...watchdog, ...server];
    const child = spawn(program!, args, tied ? options : { ...options, stdio: ['ignore', log, log] });
    child.stdin?.on('error', () => undefined);
    if (!tied) child.unref();
    return { exited: exitOf(child), stop: () => child.stdin?.end() };
  } finally {
    closeSync(log);
  }
}

const isLarge = (file: string) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX;

const exitOf = (child: ChildProcess): Promise<number | null> =>
  new Promise((resolve, reject) => {
    child.once('exit', resolve);
    child.once('error', (error) => reject(startError(child.spawnfile, error)));
  });

/** What to tell when a program could not even be started. */
export const startError = (program: string, error: Error): UserError =>
  new UserError(
    `cannot run ${program}: ${error.message}`,
    program === 'setpriv'
      ? 'Install util-linux, or run as a normal user.'
      : 'Reinstall with `npm ci`; the file must be executable and meant for this machine.',
  );
