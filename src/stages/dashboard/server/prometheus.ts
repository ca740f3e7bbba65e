import { Counter, Gauge, Registry } from 'prom-client';
import type { StageHealth } from '../../../contracts/stage-health.ts';
import type { SseCounts } from './sse-hub.ts';

/** Where the figures come from when somebody scrapes. */
export interface PrometheusSource {
  /** The processes that count now, by stage. */
  readonly instances: () => readonly (readonly StageHealth[])[];
  readonly problems: () => number;
  readonly newestCommittedAt: () => number | null;
  readonly now: () => number;
  readonly sse: SseCounts;
}

type StageFigure = readonly [
  name: string,
  help: string,
  figure: (health: StageHealth, nowMs: number) => number | null,
];

const STAGE_GAUGES: readonly StageFigure[] = [
  ['up', '1 while it runs; one that stands by has 0.', (health) => (health.state === 'running' ? 1 : 0)],
  ['report_age_seconds', 'Age of the newest report of the stage.', (health, now) => (now - health.at) / 1000],
  [
    'newest_age_seconds',
    'Age of the newest record the stage processed.',
    (health, now) => (health.newest_at === null ? null : (now - health.newest_at) / 1000),
  ],
];

const STAGE_COUNTERS: readonly StageFigure[] = [
  ['processed_total', 'Records the stage processed.', (health) => health.processed],
  ['errors_total', 'Faults the stage met and got over.', (health) => health.errors],
  ['dead_letters_total', 'Records the stage refused.', (health) => health.dead_letters],
];

/** Every process that counts, with its labels: `instance` only where a stage has several. */
function* labelled(source: PrometheusSource): Generator<readonly [StageHealth, Record<string, string>]> {
  for (const processes of source.instances()) {
    for (const health of processes) {
      const { stage, instance = '' } = health;
      yield [health, processes.length > 1 ? { stage, instance } : { stage }];
    }
  }
}

/** Metrics that describe each stage, read from its newest report. */
function registerStages(registers: Registry[], source: PrometheusSource): void {
  const labelNames = ['stage', 'instance'];
  for (const [name, help, figure] of STAGE_GAUGES) {
    new Gauge({
      name: `instashop_stage_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [health, labels] of labelled(source)) {
          const value = figure(health, source.now());
          if (value !== null) this.set(labels, value);
        }
      },
    });
  }
  for (const [name, help, figure] of STAGE_COUNTERS) {
    new Counter({
      name: `instashop_stage_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const [health, labels] of labelled(source)) this.inc(labels, figure(health, source.now()) ?? 0);
      },
    });
  }
  new Gauge({
    name: 'instashop_stage_lag',
    help: 'What waits to be processed, in the unit of the label.',
    labelNames: [...labelNames, 'unit'],
    registers,
    collect() {
      this.reset();
      for (const [{ lag, lag_unit: unit }, labels] of labelled(source))
        if (lag !== null) this.set({ ...labels, unit }, lag);
    },
  });
  new Gauge({
    name: 'instashop_stage_figure',
    help: 'Further figures of a stage (late, too_late, retained_wal_bytes, …).',
    labelNames: [...labelNames, 'figure'],
    registers,
    collect() {
      this.reset();
      for (const [{ figures }, labels] of labelled(source))
        for (const [figure, value] of Object.entries(figures)) this.set({ ...labels, figure }, value);
    },
  });
}

function registerSystem(registers: Registry[], source: PrometheusSource): void {
  const gauge = (name: string, help: string, value: () => number | null): void => {
    new Gauge({
      name: `instashop_${name}`,
      help,
      registers,
      collect() {
        this.set(value() ?? Number.NaN);
      },
    });
  };
  const counter = (name: string, help: string, value: () => number): void => {
    new Counter({
      name: `instashop_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value());
      },
    });
  };
  const { sse } = source;
  gauge('problems', 'Stages that are not well; /api/v1/health says why.', source.problems);
  gauge('newest_commit_age_seconds', 'Age of the newest sale or visit on the page.', () => {
    const at = source.newestCommittedAt();
    return at === null ? null : (source.now() - at) / 1000;
  });
  gauge('sse_clients', 'Pages connected now.', () => sse.clients);
  counter('sse_messages_total', 'Messages sent to pages.', () => sse.messages);
  counter('sse_bytes_total', 'Bytes sent to pages.', () => sse.bytes);
  counter('sse_refused_total', 'Pages refused because too many were connected.', () => sse.refused);
  counter('sse_collapsed_total', 'Times a slow page got only the newest values.', () => sse.collapsed);
  counter('sse_stalled_total', 'Pages let go because they took nothing.', () => sse.stalled);
}

/** A registry of its own: two dashboards in one process do not meet. */
export function prometheus(source: PrometheusSource): Registry {
  const registry = new Registry();
  registerStages([registry], source);
  registerSystem([registry], source);
  return registry;
}
