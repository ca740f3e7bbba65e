import { resolve } from 'node:path';
import type { Clock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import { findings, findingText } from './checks/checks.ts';
import { rememberForeign } from './foreign.ts';
import { showFigures } from './live-line.ts';
import { type Lock, takeLocks } from './lock.ts';
import { environmentOf } from './option.ts';
import { OPTIONS, type Options } from './options.ts';
import { rememberPage } from './page-address.ts';
import { PIPELINE } from './pipeline.ts';
import { DASHBOARD_PORT, POSTGRES_PORT } from './ports.ts';
import { type OpenProfile, openProfile } from './profiles/profiles.ts';
import { healthToLog, report } from './report.ts';
import type { StageName } from './stage-names.ts';
import { stopSignals } from './stop-signals.ts';
import { type Supervised, supervise } from './supervise.ts';
import type { Terminal } from './terminal.ts';
import { needsEmbedded } from './urls.ts';
import { healthToParent, isWorker, workerStage } from './worker.ts';

/** It ends within 10 s: the stages finish what they have in hand, say their last words, the stores close. */
const DRAIN_MS_MAX = 5_000;
const LAST_REPORT_MS_MAX = 500;
const CLOSE_MS_MAX = 4_000;
/** How long a worker waits for one that a killed parent left behind and that finishes its work. */
const LOCK_MS_MAX = 15_000;

const STATEFUL: readonly StageName[] = ['capture', 'metrics'];

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
  const lock = await takeRunLocks(parts, ours);
  try {
    const found = isWorker() ? [] : await findings({ options, stages, startsPostgres, clock, log });
    for (const finding of found) terminal.line(findingText(finding));
    if (found.some(({ severity }) => severity === 'error')) return 1;
    const interrupted = stopSignals(() => {
      if (!isWorker()) terminal.line('Stopping (again Ctrl-C: at once) …');
    });
    try {
      const profile = await openProfile({ options, start: startsPostgres, clock, log });
      if (!isWorker()) rememberForeign(options);
      try {
        await runStages(parts, profile, interrupted.signal);
      } finally {
        // PostgreSQL's watchdog stops it anyhow when this process ends.
        await Promise.race([profile.close(), clock.sleep(CLOSE_MS_MAX)]);
      }
    } finally {
      interrupted.forget();
    }
    return 0;
  } finally {
    lock.release();
  }
}

async function takeRunLocks(
  { whole, options, clock }: RunParts,
  stages: readonly StageName[],
): Promise<Lock> {
  // In a cluster only what keeps a state of its own here must be alone on the folder.
  const alone = options.profile === 'embedded' ? stages : stages.filter((name) => STATEFUL.includes(name));
  const take = () => takeLocks(resolve(options.dataDir), alone, whole ? 'InstaShop Live' : undefined);
  for (const until = clock.now() + LOCK_MS_MAX; isWorker() && clock.now() < until; await clock.sleep(200)) {
    try {
      return take();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
  }
  return take();
}

async function runStages(parts: RunParts, profile: OpenProfile, interrupted: AbortSignal): Promise<void> {
  const { stages, whole, clock, log, terminal } = parts;
  const supervised = stages.map((name) => {
    const apart = whole && name === 'generator';
    const make = apart ? async () => generatorApart(profile, clock) : () => PIPELINE[name](profile.platform);
    return supervise(name, make, { clock, log: log.child(name) });
  });
  const { instance } = profile;
  const ending = new AbortController();
  const until = AbortSignal.any([interrupted, ending.signal]);
  const reporting = new AbortController();
  const send = isWorker()
    ? healthToParent
    : healthToLog(() => profile.platform.broker(stages.find((name) => name !== 'generator') ?? 'generator'));
  const reports = report(
    { stages: supervised, send, ...(instance && { instance }), clock, log },
    reporting.signal,
  );
  const shown = isWorker() ? Promise.resolve() : show(supervised, profile, parts, until);
  const runs = supervised.map((stage) => stage.run());
  try {
    await Promise.race([Promise.all(runs), aborted(interrupted)]);
  } finally {
    ending.abort();
    await shown;
    await drain(supervised, runs, clock, log);
    reporting.abort();
    await Promise.race([reports, clock.sleep(LAST_REPORT_MS_MAX)]);
  }
  terminal.status('');
}

const generatorApart = ({ childOptions }: OpenProfile, clock: Clock) =>
  workerStage({ name: 'generator', environment: environmentOf(OPTIONS, childOptions), clock });

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
  { postgres }: OpenProfile,
  { options, clock, terminal, whole }: RunParts,
  signal: AbortSignal,
): Promise<void> {
  if (postgres !== null && whole) {
    const note = otherPort('PostgreSQL', options.postgresPort, POSTGRES_PORT, postgres.port);
    if (note) terminal.line(note);
    terminal.line(`PostgreSQL  ${postgres.psql}`);
  }
  const page = stages.find(({ name }) => name === 'dashboard');
  while (page && page.url() === null && !signal.aborted) await clock.sleep(50, signal);
  const url = page?.url();
  if (!url) return showFigures({ stages, clock, terminal }, signal);
  const forget = rememberPage(options.dataDir, url);
  const note = otherPort('the page', options.dashboardPort, DASHBOARD_PORT, Number(new URL(url).port));
  if (note) terminal.line(note);
  terminal.line(`Page        ${url}`);
  await showFigures({ stages, clock, terminal }, signal);
  forget();
}

const otherPort = (who: string, named: number | null, usual: number, port: number): string | null =>
  named === null && port !== usual ? `! port ${usual} is taken, so ${who} listens on ${port}` : null;
