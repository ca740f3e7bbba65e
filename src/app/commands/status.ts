import { API, type LiveHealth, type LiveStage } from '../../contracts/live.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import { TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { liveStages } from '../../stages/dashboard/server/live-stages.ts';
import { readAccounting } from '../../stages/metrics/sqlite-checkpoint.ts';
import type { Broker } from '../../stores/broker/broker.ts';
import { countDeadLetters } from '../../stores/broker/dead-letter-queue.ts';
import { readTopic } from '../../stores/broker/read-topic.ts';
import { command } from '../command.ts';
import { flag } from '../option.ts';
import type { Options } from '../options.ts';
import { pageAddress } from '../page-address.ts';
import { openProfile } from '../profiles/profiles.ts';
import { withBroker } from '../with-broker.ts';
import { formatReport, reportJson, type VerifyReport, verify } from './verify.ts';

const ANSWER_MS_MAX = 2_000;
const GROUPS = ['enrichment', 'loader', 'metrics', 'publisher'];

export const statusCommand = command({
  usage: 'status',
  summary: 'How the stages are, what waits in the log, and what was put aside.',
  flags: {
    json: flag({ description: 'JSON.' }),
    verify: flag({
      description: 'Compares shop, log, warehouse and windows, to the cent; exits with 1 if they differ.',
    }),
  },
  async run({ options, flags, clock, log, terminal }) {
    if (flags.verify) {
      const report = await verified(options, clock, log);
      terminal.line(flags.json ? reportJson(report) : formatReport(report));
      return report.verdict === 'agree' ? 0 : 1;
    }
    const live = await liveHealth(options);
    const stored = await withBroker({ options, clock, log }, logStatus);
    const status = {
      running: live !== null,
      status: live?.status ?? 'not running',
      // Where one must sign in, the page tells others only whether it is well.
      stages: live?.stages ?? liveStages(stored.stages, clock.now()),
      problems: live?.problems ?? [],
      topics: stored.topics,
      groups: stored.groups,
      dead_letters: stored.deadLetters,
      dead_letters_not_looked_at: stored.notLookedAt,
    };
    terminal.line(flags.json ? JSON.stringify(status) : statusPage(status, clock.now()));
    return live === null || live.status === 'unwell' ? 1 : 0;
  },
});

/** The accounting of the system as it runs, or as it was stopped. */
async function verified(options: Options, clock: Clock, log: Log): Promise<VerifyReport> {
  const profile = await openProfile({ options, start: false, clock, log });
  const { platform, shopUrls } = profile;
  try {
    return await verify({
      shopUrl: shopUrls.shop,
      crmUrl: shopUrls.crm,
      broker: await platform.broker('operator'),
      warehouse: await platform.warehouse('dashboard'),
      windows: async () => readAccounting(platform.dir('metrics')),
      capture: options.capture,
      mainCurrency: options.mainCurrency,
      warehouseRetentionDays: options.warehouseRetention,
      clock,
    });
  } finally {
    await profile.close();
  }
}

/** What the dashboard of the data folder, or at the port named, says; null when none answers. */
async function liveHealth({
  dataDir,
  dashboardHost,
  dashboardPort,
}: Options): Promise<(Partial<LiveHealth> & Pick<LiveHealth, 'status'>) | null> {
  const host = dashboardHost.includes(':') ? `[${dashboardHost}]` : dashboardHost;
  const page = dashboardPort === null ? pageAddress(dataDir) : `http://${host}:${dashboardPort}`;
  if (page === null) return null;
  try {
    const response = await fetch(`${page}${API.health}`, {
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    return (await response.json()) as LiveHealth;
  } catch {
    return null;
  }
}

interface LogStatus {
  readonly stages: readonly StageHealth[];
  readonly topics: readonly {
    readonly topic: string;
    readonly records: number;
    readonly newest_at: number | null;
  }[];
  readonly groups: readonly { readonly group: string; readonly behind: number }[];
  readonly deadLetters: Readonly<Record<string, number>>;
  /** Offsets of dead letters too old to be counted. */
  readonly notLookedAt: number;
}

async function logStatus(broker: Broker): Promise<LogStatus> {
  const states = await Promise.all(Object.values(TOPICS).map(({ name }) => broker.partitions(name)));
  const topics = states.map((partitions) => ({
    topic: partitions[0]!.topic,
    records: partitions.reduce((sum, { start, end }) => sum + end - start, 0),
    newest_at: partitions.reduce<number | null>(
      (newest, { tail }) => (tail === null ? newest : Math.max(newest ?? 0, tail.timestamp)),
      null,
    ),
  }));
  const ends = new Map(states.flat().map(({ topic, partition, end }) => [`${topic}/${partition}`, end]));
  const groups = await Promise.all(
    GROUPS.map(async (group) => {
      const committed = await broker.committed(group);
      const behind = [...committed].reduce((sum, [name, next]) => sum + (ends.get(name) ?? next) - next, 0);
      return { group, behind };
    }),
  );
  const newest = new Map<string, StageHealth>();
  await readTopic(broker, TOPICS.stageHealth.name, async ({ value }) => {
    const said = JSON.parse(Buffer.from(value).toString()) as StageHealth;
    newest.set(healthKey(said), said);
  });
  const { waiting, notLookedAt } = await countDeadLetters(broker);
  return { stages: [...newest.values()], topics, groups, deadLetters: waiting, notLookedAt };
}

interface Shown extends Omit<LogStatus, 'stages' | 'deadLetters' | 'notLookedAt'> {
  readonly dead_letters_not_looked_at: number;
  readonly status: string;
  readonly stages: readonly LiveStage[];
  readonly problems: LiveHealth['problems'];
  readonly dead_letters: LogStatus['deadLetters'];
}

function statusPage(
  {
    status,
    stages,
    problems,
    topics,
    groups,
    dead_letters: letters,
    dead_letters_not_looked_at: notLookedAt,
  }: Shown,
  now: number,
): string {
  const age = (at: number | null) => (at === null ? '-' : `${((now - at) / 1000).toFixed(1)} s ago`);
  const stageRows = stages.map(
    ({ stage, instances, standby, state, processed, lag, lag_unit, newest_at, errors, last_error }) => [
      [stage, instances && `${instances}×`, standby && `${standby} standby`].filter(Boolean).join(' '),
      state,
      String(processed),
      lag === null ? '-' : `${lag} ${lag_unit}`,
      age(newest_at),
      errors === 0 ? '' : `${errors} faults, the last: ${last_error}`,
    ],
  );
  return [
    `The system is ${status}.`,
    ...problems.map(({ stage, problem, detail }) => `✗ ${stage} ${problem}: ${detail}`),
    '',
    ...table(['stage', 'state', 'processed', 'behind', 'newest', ''], stageRows),
    '',
    ...table(
      ['topic', 'records', 'newest'],
      topics.map(({ topic, records, newest_at }) => [topic, String(records), age(newest_at)]),
    ),
    '',
    ...table(
      ['reader', 'behind'],
      groups.map(({ group, behind }) => [group, String(behind)]),
    ),
    '',
    ...Object.entries(letters).map(([reason, count]) => `${count} dead letters: ${reason}`),
    Object.keys(letters).length === 0
      ? 'No dead letters wait.'
      : 'See them with `instashop dead-letters list`.',
    ...(notLookedAt > 0 ? [`${notLookedAt} older offsets of dead letters were not looked at.`] : []),
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  );
}
