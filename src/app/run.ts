import { resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { findings, findingText } from './checks/checks.ts';
import { showFigures } from './live-line.ts';
import { takeLocks } from './lock.ts';
import { environmentOf } from './option.ts';
import { OPTIONS, type Options } from './options.ts';
import { PIPELINE, type StageName } from './pipeline.ts';
import type { Platform } from './platform.ts';
import { embeddedProfile } from './profiles/embedded.ts';
import { healthToLog, report } from './report.ts';
import { stopSignals } from './stop-signals.ts';
import { type Supervised, supervise } from './supervise.ts';
import type { Terminal } from './terminal.ts';
import { type Connected, connect, needsEmbedded, type Urls } from './urls.ts';
import { healthToParent, isWorker, workerStage } from './worker.ts';

/** How long the stages may take to finish what they have in hand. */
const DRAIN_MS_MAX = 6_000;

export interface RunParts {
  readonly stages: readonly StageName[];
  /** The whole system: it brings its PostgreSQL, and the generator gets a process of its own. */
  readonly whole: boolean;
  readonly options: Options;
  readonly clock: Clock;
  readonly log: Log;
  readonly terminal: Terminal;
}

/** Runs stages until the process is asked to end. Resolves with the exit code; rejects with the fault that ended it. */
export async function run(parts: RunParts): Promise<number> {
  const { stages, whole, options, clock, log, terminal } = parts;
  const startsPostgres = whole && needsEmbedded(options);
  const ours = stages.filter((name) => !(whole && name === 'generator'));
  // Before the checks: a second run is told about the first one, not about its ports.
  const lock = takeLocks(resolve(options.dataDir), ours);
  try {
    const found = isWorker() ? [] : await findings({ options, stages, startsPostgres });
    for (const finding of found) terminal.line(findingText(finding));
    if (found.some(({ severity }) => severity === 'error')) return 1;
    const interrupted = stopSignals(() => {
      if (!isWorker()) terminal.line('Stopping (again Ctrl-C: at once) …');
    });
    try {
      const connected = await connect(options, { start: startsPostgres, clock, log });
      try {
        const platform = embeddedProfile({ options, urls: connected.urls, clock, log });
        await runStages(parts, platform, connected, interrupted.signal);
      } finally {
        await connected.postgres?.stop();
      }
    } finally {
      interrupted.forget();
    }
    return 0;
  } finally {
    lock.release();
  }
}

async function runStages(
  parts: RunParts,
  platform: Platform,
  connected: Connected,
  interrupted: AbortSignal,
): Promise<void> {
  const { stages, whole, options, clock, log, terminal } = parts;
  const supervised = stages.map((name) => {
    const apart = whole && name === 'generator';
    const make = apart
      ? async () => generatorApart(options, connected.urls, clock)
      : () => PIPELINE[name](platform);
    return supervise(name, make, { clock, log: log.child(name) });
  });
  const ending = new AbortController();
  const until = AbortSignal.any([interrupted, ending.signal]);
  const reporting = new AbortController();
  const send = isWorker() ? healthToParent : healthToLog(platform.broker);
  const reports = report({ stages: supervised, send, clock, log }, reporting.signal);
  const shown = isWorker() ? Promise.resolve() : show(supervised, connected, parts, until);
  const runs = supervised.map((stage) => stage.run());
  try {
    await Promise.race([Promise.all(runs), aborted(interrupted)]);
  } finally {
    ending.abort();
    await shown;
    await drain(supervised, runs, clock, log);
    reporting.abort();
    await reports;
    await platform.close().catch((error: Error) => log.warn('a store did not close', { error }));
  }
  terminal.status('');
}

const generatorApart = (options: Options, { shop, crm, dwh }: Urls, clock: Clock) =>
  workerStage({
    name: 'generator',
    environment: environmentOf(OPTIONS, { ...options, shopUrl: shop, crmUrl: crm, dwhUrl: dwh }),
    clock,
  });

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });

/** Stops the stages one after the other, in flow order: nobody is fed any more when it is his turn. */
async function drain(
  stages: readonly Supervised[],
  runs: readonly Promise<void>[],
  clock: Clock,
  log: Log,
): Promise<void> {
  const late = new AbortController();
  const deadline = clock.sleep(DRAIN_MS_MAX, late.signal);
  for (const [index, stage] of stages.entries()) {
    stage.stop();
    const ended = runs[index]!.catch(() => undefined).then(() => true);
    if (!(await Promise.race([ended, deadline]))) log.warn('did not finish in time', { stage: stage.name });
  }
  late.abort();
}

/** Says where everything is, then shows the figures until the signal aborts. */
async function show(
  stages: readonly Supervised[],
  { postgres }: Connected,
  { clock, terminal, whole }: RunParts,
  signal: AbortSignal,
): Promise<void> {
  if (postgres !== null && whole) terminal.line(`PostgreSQL  ${postgres.psql}`);
  const page = stages.find(({ name }) => name === 'dashboard');
  while (page && page.url() === null && !signal.aborted) await clock.sleep(50, signal);
  if (page?.url()) terminal.line(`Page        ${page.url()}`);
  await showFigures({ stages, clock, terminal }, signal);
}
