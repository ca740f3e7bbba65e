import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';

const readable = (read: () => string): string => {
  try {
    return read();
  } catch {
    return '';
  }
};

/** A line of postmaster.pid (PostgreSQL's pidfile.h numbers them from 1), '' when there is no such file. */
const pidFileLine = (data: string, line: number): string =>
  readable(() => readFileSync(join(data, 'postmaster.pid'), 'utf8'))
    .split('\n')
    [line - 1]?.trim() ?? '';

/** What the server says of itself: `starting`, `ready`, `stopping`, or '' when it says nothing. */
export const postmasterState = (data: string): string => pidFileLine(data, 8);

export const postmasterPort = (data: string): number => Number(pidFileLine(data, 4));

function postmasterPid(data: string): number | null {
  const pid = Number.parseInt(pidFileLine(data, 1), 10);
  return pid > 0 ? pid : null;
}

/**
 * Processes of a PostgreSQL that works in the folder `data`, whatever its postmaster.pid says: that file may be stale
 * and its number in use by another program. A postgres is known by its working folder, or by its arguments where the
 * system does not tell (root without CAP_SYS_PTRACE).
 */
export function serverProcesses(data: string): readonly number[] {
  if (process.platform !== 'linux') return postmasterByPs(data);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      if (readable(() => readFileSync(`/proc/${pid}/comm`, 'utf8')).trim() !== 'postgres') return false;
      if (/^State:\s*Z/m.test(readable(() => readFileSync(`/proc/${pid}/status`, 'utf8')))) return false;
      if (readable(() => readlinkSync(`/proc/${pid}/cwd`)) === data) return true;
      return readable(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
        .split('\0')
        .includes(data);
    })
    .map(Number);
}

/** Without /proc: the process that postmaster.pid names, if its command line names the folder. */
function postmasterByPs(data: string): readonly number[] {
  const pid = postmasterPid(data);
  if (pid === null) return [];
  const { stdout } = spawnSync('ps', ['-o', 'command=', '-p', String(pid)], { encoding: 'utf8' });
  return stdout?.includes('postgres') && stdout.includes(data) ? [pid] : [];
}

/**
 * Stops whatever PostgreSQL an earlier run left in the folder and removes its stale postmaster.pid. Resolves with how
 * many processes there were. Asks politely (fast shutdown), then firmly, then kills; rejects with a UserError when
 * they are not ours to stop.
 */
export async function stopOrphans(data: string, clock: Clock): Promise<number> {
  const found = serverProcesses(data);
  let left = found;
  for (const [signal, waitMs] of [
    ['SIGINT', 5_000],
    ['SIGQUIT', 3_000],
    ['SIGKILL', 3_000],
  ] as const) {
    for (const pid of left) send(pid, signal, data);
    const until = clock.now() + waitMs;
    while (left.length > 0 && clock.now() < until) {
      await clock.sleep(20);
      left = serverProcesses(data);
    }
    if (left.length === 0) break;
  }
  rmSync(join(data, 'postmaster.pid'), { force: true });
  return found.length;
}

function send(pid: number, signal: NodeJS.Signals, data: string): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new UserError(
      `a PostgreSQL (process ${pid}) that works in ${data} belongs to another user`,
      `Stop it as that user (kill -INT ${pid}), or choose another --data-dir.`,
    );
  }
}
