// A stage in a process of its own: the generator, which would otherwise take its time from those it feeds.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { StageHealth } from '../contracts/stage-health.ts';
import type { Clock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import { healthOf, type Stage, stageCounts } from '../lib/stage.ts';
import type { SendHealth } from './report.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
/** Set for a worker: it reports to its parent. */
const WORKER = 'INSTASHOP_WORKER';
const KILL_AFTER_MS = 3_000;

type Message =
  | { readonly kind: 'health'; readonly health: StageHealth }
  | { readonly kind: 'user-error'; readonly message: string; readonly remedy: string };

export interface WorkerParts {
  readonly name: string;
  /** The options, secrets included: as variables, because arguments can be read by everybody. */
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

/** Runs `instashop run <name>` as a child. The child ends by itself when this process does. */
export function workerStage({ name, environment, clock }: WorkerParts): Stage {
  let health: StageHealth = healthOf(name, clock, stageCounts());
  return {
    name,
    health: () => health,
    async run(signal) {
      const child = spawn(process.execPath, [MAIN, 'run', name], {
        env: { ...process.env, ...environment, [WORKER]: '1' },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      let refused: UserError | null = null;
      child.on('message', (message: Message) => {
        if (message.kind === 'health') health = message.health;
        else refused = new UserError(message.message, message.remedy);
      });
      const code = await ended(child, clock, signal);
      if (refused) throw refused;
      if (signal.aborted) return;
      throw Object.assign(new Error(`the process of ${name} ended (${code})`), { retryable: true });
    },
  };
}

async function ended(child: ChildProcess, clock: Clock, signal: AbortSignal): Promise<number | string> {
  const gone = new AbortController();
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    await clock.sleep(KILL_AFTER_MS, gone.signal);
    if (!gone.signal.aborted) child.kill('SIGKILL');
  };
  if (signal.aborted) void stop();
  else signal.addEventListener('abort', stop, { once: true });
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, killedBy) => resolve(killedBy ?? code ?? 1));
    });
  } finally {
    gone.abort();
    signal.removeEventListener('abort', stop);
  }
}

export const isWorker = (): boolean => process.env[WORKER] === '1';

const tell = (message: Message): Promise<void> =>
  new Promise((resolve) => {
    if (!process.send || !process.connected) return resolve();
    process.send(message, undefined, undefined, () => resolve());
  });

/** Health to the parent, where a worker's goes. */
export const healthToParent: SendHealth = async (health) => {
  for (const one of health) await tell({ kind: 'health', health: one });
};

/** A fault for a person to mend: the parent shows it. */
export const refuseToParent = ({ message, remedy }: UserError): Promise<void> =>
  tell({ kind: 'user-error', message, remedy });
