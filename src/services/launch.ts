import { type SpawnOptions, spawn } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';

/**
 * Runs the server ("$@" after the first two) and reads descriptor 3, a pipe whose other end only the parent holds.
 * However the parent ends, kill -9 included, the pipe closes, and the server gets the signal $1, and $2 seconds later
 * SIGKILL.
 */
const WATCHDOG = `
signal=$1; seconds=$2; shift 2
exec 3<&0
"$@" 3<&- </dev/null &
server=$!
( while read -r line; do :; done; kill -$signal $server; sleep $seconds; kill -KILL $server ) <&3 2>/dev/null &
watchdog=$!
exec 3<&-
wait $server
code=$?
kill $watchdog 2>/dev/null
exit $code
`;

/** What a server says outside its own log is cut when a start finds more than this. */
const OUTPUT_BYTES_MAX = 4 << 20;

export interface LaunchOptions {
  readonly command: readonly string[];
  readonly cwd: string;
  /** What it writes to stdout and stderr. */
  readonly outputFile: string;
  /**
   * The server ends with this process, however that ends: first asked by this signal, then killed. null: it stays
   * when this process ends.
   */
  readonly tied: { readonly signal: 'TERM' | 'INT'; readonly killAfterS: number } | null;
  readonly environment?: Readonly<Record<string, string>>;
}

export interface Launched {
  /** Resolves when the server has ended, with its exit code; rejects where it could not be started. */
  readonly exited: Promise<number | null>;
}

/** Starts a server in a process group of its own, so that Ctrl-C reaches only those who drain first. */
export function launch({ command, cwd, outputFile, tied, environment }: LaunchOptions): Launched {
  const output = openSync(outputFile, isLarge(outputFile) ? 'w' : 'a', 0o600);
  try {
    const options: SpawnOptions = {
      cwd,
      detached: true,
      stdio: [tied ? 'pipe' : 'ignore', output, output],
      env: { ...process.env, ...environment },
    };
    const watched = tied
      ? ['/bin/sh', '-c', WATCHDOG, 'instashop-watchdog', tied.signal, String(tied.killAfterS), ...command]
      : command;
    const child = spawn(watched[0]!, watched.slice(1), options);
    child.stdin?.on('error', () => undefined);
    if (!tied) child.unref();
    const exited = new Promise<number | null>((resolve, reject) => {
      child.once('exit', resolve);
      child.once('error', reject);
    });
    exited.catch(() => undefined);
    return { exited };
  } finally {
    closeSync(output);
  }
}

const isLarge = (file: string) => (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > OUTPUT_BYTES_MAX;
