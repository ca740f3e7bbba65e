// Server processes known by their command line, whatever a pid file says: numbers are used again, and files go stale.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';

/** How a server is recognized. */
export interface ProcessMark {
  /** Names its executable may have, without the folder. */
  readonly programs: readonly string[];
  /** One whole argument that no other server has: the path of its settings file. */
  readonly argument: string;
}

const readable = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

/** Process ids of the server, zombies not counted. */
export function processesOf(mark: ProcessMark): readonly number[] {
  if (process.platform !== 'linux') return processesByPs(mark);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => isProcess(pid, mark));
}

function isProcess(pid: number, { programs, argument }: ProcessMark): boolean {
  const [program = '', ...args] = readable(`/proc/${pid}/cmdline`).split('\0');
  if (!programs.includes(basename(program)) || !args.includes(argument)) return false;
  return !/^State:\s*Z/m.test(readable(`/proc/${pid}/status`));
}

/** The server's process id, null where it does not run. For who asks often: looks at all only when it has changed. */
export function processFinder(mark: ProcessMark): () => number | null {
  let last: number | null = null;
  return () => {
    if (last === null || process.platform !== 'linux' || !isProcess(last, mark)) {
      last = processesOf(mark)[0] ?? null;
    }
    return last;
  };
}

/** Without /proc. */
function processesByPs({ programs, argument }: ProcessMark): readonly number[] {
  const { stdout } = spawnSync('ps', ['-axww', '-o', 'pid=,stat=,command='], { encoding: 'utf8' });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const [, pid, state, command] = /^\s*(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (!pid || !command || state!.startsWith('Z')) return [];
    const program = programs.some((name) => basename(command.split(' -')[0]!).startsWith(name));
    return program && `${command} `.includes(` ${argument} `) ? [Number(pid)] : [];
  });
}

/** Signals, and how long each may take before the next one. */
export type StopSteps = readonly (readonly [signal: NodeJS.Signals, waitMs: number])[];

/**
 * Stops the servers, all at once, and resolves with how many processes there were. Rejects with a UserError where they
 * are not ours to stop.
 */
export async function stopProcesses(
  marks: readonly ProcessMark[],
  steps: StopSteps,
  clock: Clock,
): Promise<number> {
  const find = () => marks.flatMap(processesOf);
  const found = find();
  let left = found;
  for (const [signal, waitMs] of steps) {
    for (const pid of left) sendSignal(pid, signal);
    const until = clock.now() + waitMs;
    while (left.length > 0 && clock.now() < until) {
      await clock.sleep(20);
      left = find();
    }
    if (left.length === 0) break;
  }
  return found.length;
}

/** Sends a signal; one that has gone meanwhile is no fault. Rejects with a UserError where the process is another's. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return;
    throw new UserError(
      `process ${pid}, a server of this data folder, belongs to another user`,
      `Stop it as that user (kill ${pid}), or choose another --data-dir.`,
    );
  }
}

/**
 * Memory of a process in bytes, what it shares with others in parts (PSS), or where that may not be read, in full.
 * null: the system does not tell, or it has gone.
 */
export function memoryOf(pid: number): number | null {
  const kib =
    /^Pss:\s+(\d+) kB/m.exec(readable(`/proc/${pid}/smaps_rollup`))?.[1] ??
    /^VmRSS:\s+(\d+) kB/m.exec(readable(`/proc/${pid}/status`))?.[1];
  return kib === undefined ? null : Number(kib) * 1_024;
}
