// The whole system as a user starts it: processes of its own, a folder of its own, free ports.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { API, LIVE_PERIODS_S, type LiveHealth, type LiveSnapshot } from '../../src/contracts/live.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { freePorts } from '../../src/services/free-ports.ts';
import { serverProcesses, stopOrphans } from '../../src/services/postgres/processes.ts';

const MAIN = fileURLToPath(new URL('../../src/app/main.ts', import.meta.url));
const SAID_CHARS_MAX = 8_000;
const POLL_MS = 25;

/** One process of the system, with the processes it started: a process group of its own. */
export interface Program {
  readonly pid: number;
  readonly startedAt: number;
  /** The newest part of what it printed. */
  said(): string;
  isRunning(): boolean;
  /** Its exit code, null where a signal ended it, once it has ended. */
  readonly ended: Promise<number | null>;
  /** kill -9 of the whole group. */
  kill(): Promise<void>;
  /** Asks it to end; resolves with its exit code and how long that took. */
  stop(signal?: NodeJS.Signals): Promise<{ readonly code: number | null; readonly ms: number }>;
}

/** What a system's page says, null where it does not answer. */
export interface Page {
  health(): Promise<LiveHealth | null>;
  snapshot(): Promise<LiveSnapshot | null>;
}

export interface System extends Page {
  readonly dataDir: string;
  /** Runs `instashop <args>` on the folder. */
  start(...args: string[]): Program;
  /** Process ids of its PostgreSQL. */
  postgres(): readonly number[];
  /** kill -9 of everything it still runs, and its folder is gone. */
  remove(): Promise<void>;
}

export function pageAt(port: number): Page {
  const get = async <T>(path: string): Promise<T | null> => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) });
      return (await response.json()) as T;
    } catch {
      return null;
    }
  };
  return {
    health: () => get<LiveHealth>(API.health),
    snapshot: () => get<LiveSnapshot>(`${API.snapshot}?period=${LIVE_PERIODS_S.at(-1)}`),
  };
}

export async function newSystem(): Promise<System> {
  const dataDir = realpathSync(mkdtempSync(join(tmpdir(), 'instashop-recovery-')));
  const [page, postgresPort] = (await freePorts(2)) as [number, number];
  const postgresData = join(dataDir, 'postgres', 'data');
  const programs: Program[] = [];
  return {
    dataDir,
    start(...args) {
      const ports = ['--dashboard-port', String(page), '--postgres-port', String(postgresPort)];
      const program = startProgram([...args, '--data-dir', dataDir, ...ports]);
      programs.push(program);
      return program;
    },
    ...pageAt(page),
    postgres: () => serverProcesses(postgresData),
    async remove() {
      for (const program of programs) if (program.isRunning()) await program.kill();
      await stopOrphans(postgresData, systemClock);
      rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Runs `instashop <args>` as a process group of its own. */
export function startProgram(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Program {
  const startedAt = Date.now();
  const child = spawn(process.execPath, [MAIN, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let said = '';
  const hear = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-SAID_CHARS_MAX);
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const isRunning = () => child.exitCode === null && child.signalCode === null;
  return {
    pid: child.pid!,
    startedAt,
    said: () => said,
    isRunning,
    ended,
    async kill() {
      killGroup(child);
      await ended;
    },
    async stop(signal = 'SIGTERM') {
      const askedAt = Date.now();
      child.kill(signal);
      const code = await ended;
      return { code, ms: Date.now() - askedAt };
    },
  };
}

/** Runs `instashop <args>` to its end. */
export async function runToEnd(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<{ readonly code: number | null; readonly said: string }> {
  const program = startProgram(args, environment);
  const code = await program.ended;
  return { code, said: program.said() };
}

/** Also when the first of the group is gone and its children are not. */
function killGroup(child: ChildProcess): void {
  killAll([-child.pid!]);
}

/** kill -9 of processes by their ids (negative: of a group), those that are gone already included. */
export function killAll(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

/**
 * Asks again and again until the answer is not null, and returns it. After `msMax`, or when one of the programs ended,
 * it fails with what the programs said.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  { programs, msMax = 30_000 }: { readonly programs: readonly Program[]; readonly msMax?: number },
): Promise<T> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    const ended = programs.find((program) => !program.isRunning());
    if (ended || Date.now() > deadline) {
      const said = programs.map((program) => program.said()).join('\n────\n');
      throw new Error(`${ended ? 'a process ended' : `not within ${msMax} ms`}: ${what}\n${said}`);
    }
    await sleep(POLL_MS);
  }
}

/** Milliseconds until the page shows something that was committed after `since`; fails as `until`. */
export const untilNewNumber = (
  page: Page,
  waiting: Parameters<typeof until>[2],
  since = Date.now(),
): Promise<number> =>
  until(
    'a new number',
    async () => (((await page.health())?.newest_committed_at ?? 0) > since ? Date.now() - since : null),
    waiting,
  );
