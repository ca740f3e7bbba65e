// What the page has done for an operator: commands of our own in processes of their own, behind everything else.
import { spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { LiveReplay, LiveReport } from '../contracts/reconciliation.ts';
import type { Clock } from '../lib/clock.ts';
import type { Operations } from '../stages/dashboard/server/reconciliation.ts';
import type { VerifyReport } from './accounting/report.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** A log of weeks takes minutes to read. */
const VERIFY_MS_MAX = 1_800_000;
const REPLAY_MS_MAX = 300_000;
const SAID_CHARS_MAX = 1 << 20;
/** The pipeline's processes come first (nice 0). */
const NICE = 15;

/** `environment`: the options that lead a process to the same stores, secrets included. */
export function operations(environment: Readonly<Record<string, string>>, clock: Clock): Operations {
  return {
    async verify(signal) {
      const since = clock.now();
      const args = ['status', '--verify', '--json'];
      const report = await run<VerifyReport>(args, environment, timed(signal, VERIFY_MS_MAX));
      return liveReport(report, clock.now() - since);
    },
    async replay(signal) {
      const args = ['dead-letters', 'replay', '--all', '--json'];
      const { replayed, before, notReplayable } = await run<Replayed>(
        args,
        environment,
        timed(signal, REPLAY_MS_MAX),
      );
      return { replayed, before, not_replayable: notReplayable } satisfies LiveReplay;
    },
  };
}

interface Replayed {
  readonly replayed: number;
  readonly before: number;
  readonly notReplayable: number;
}

const timed = (signal: AbortSignal, ms: number) => AbortSignal.any([signal, AbortSignal.timeout(ms)]);

/** Runs `instashop <args>`, and resolves with the JSON it says last. Rejects with what it says instead. */
async function run<T>(
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<T> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
    killSignal: 'SIGKILL',
  });
  if (child.pid !== undefined) setPriority(child.pid, NICE);
  const said = { out: '', err: '' };
  const hear = (where: 'out' | 'err') => (chunk: Buffer) => {
    said[where] = (said[where] + chunk.toString()).slice(-SAID_CHARS_MAX);
  };
  child.stdout.on('data', hear('out'));
  child.stderr.on('data', hear('err'));
  const code = await new Promise<number | string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exitCode, killedBy) => resolve(killedBy ?? exitCode ?? 1));
  });
  const json = said.out.trimEnd().split('\n').at(-1) ?? '';
  if (json.startsWith('{')) return JSON.parse(json) as T;
  const told = said.err.trim().split('\n')[0]?.replace(/^✗ /, '');
  throw new Error(told || `instashop ${args.join(' ')} ended with ${code}`);
}

/** The report in the page's words, without digests. */
function liveReport(report: VerifyReport, tookMs: number): LiveReport {
  return {
    verdict: report.verdict === 'agree' ? 'agree' : 'differ',
    at: report.at,
    took_ms: tookMs,
    comparisons: report.comparisons.map((one) => ({
      what: one.what,
      left: one.left,
      right: one.right,
      verdict: one.verdict,
      left_rows: one.leftTotal.rows,
      right_rows: one.rightTotal.rows,
      left_minor: one.leftTotal.minor,
      right_minor: one.rightTotal.minor,
      differing: one.differing,
      notes: one.notes,
    })),
    changes: report.topics.reduce((sum, { changes }) => sum + changes, 0),
    repeats: report.topics.reduce((sum, { repeats }) => sum + repeats, 0),
    dead_letters: report.deadLetters,
    notes: report.notes,
  };
}
