import { Counter, Gauge, Registry } from 'prom-client';
import type { StageHealth } from '../../../contracts/stage-health.ts';
import type { SseCounts } from './sse-hub.ts';

/** Where the figures come from when somebody scrapes. */
export interface PrometheusSource {
  readonly stages: () => readonly StageHealth[];
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
  ['up', '1 while the stage runs.', (health) => (health.state === 'running' ? 1 : 0)],
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

/** Metrics that describe each stage, read from its newest report. */
function registerStages(registers: Registry[], source: PrometheusSource): void {
  const labelNames = ['stage'];
  for (const [name, help, figure] of STAGE_GAUGES) {
    new Gauge({
      name: `instashop_stage_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        for (const health of source.stages()) {
          const value = figure(health, source.now());
          if (value !== null) this.set({ stage: health.stage }, value);
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
        for (const health of source.stages())
          this.inc({ stage: health.stage }, figure(health, source.now()) ?? 0);
      },
    });
  }
  new Gauge({
    name: 'instashop_stage_lag',
    help: 'What waits to be processed, in the unit of the label.',
    labelNames: ['stage', 'unit'],
    registers,
    collect() {
      this.reset();
      for (const { stage, lag, lag_unit: unit } of source.stages())
        if (lag !== null) this.set({ stage, unit }, lag);
    },
  });
  new Gauge({
    name: 'instashop_stage_figure',
    help: 'Further figures of a stage (late, too_late, retained_wal_bytes, …).',
    labelNames: ['stage', 'figure'],
    registers,
    collect() {
      this.reset();
      for (const { stage, figures } of source.stages())
        for (const [figure, value] of Object.entries(figures)) this.set({ stage, figure }, value);
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
