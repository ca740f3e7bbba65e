import {
  LIVE_FIGURES,
  LIVE_SPAN_MS,
  type LiveChange,
  type LiveMetric,
  type LiveStage,
  type LiveValue,
} from '../../../contracts/live.ts';
import { type MetricValue, metricKey, metricVersion } from '../../../contracts/metric-value.ts';
import { healthKey, type StageHealth } from '../../../contracts/stage-health.ts';
import { HEALTH_MAX, type MetricsChange } from '../../../stores/metrics-store/metrics-store.ts';
import { byStage, liveStage, liveStages, presentInstances } from './live-stages.ts';

/** Values held at most; the oldest windows go first. */
const VALUES_MAX = 20_000;

interface Entry<T> {
  readonly item: T;
  /** The tick it belongs to: whoever has seen an earlier one needs it. */
  readonly seq: number;
  readonly version: number;
}

interface StageEntry extends Entry<StageHealth> {
  /** When this state was said first. */
  readonly stateSince: number;
}

/** What the page shows, newest values only, numbered by tick so that anyone can be brought up to date from any tick. */
export interface LiveModel {
  /** The newest finished tick. */
  seq(): number;
  /** Takes what is newer than what it has. Whether anything was. */
  apply(change: MetricsChange): boolean;
  /** Ends a tick if anything changed since the last. Whether it did. */
  advance(): boolean;
  /** Everything that changed after that tick; 0 gives all there is. */
  since(seq: number): Omit<LiveChange, 'server_time'>;
  /** Each stage, its processes in one. */
  stages(): readonly LiveStage[];
  /** The processes that count now, by stage. */
  instances(): readonly (readonly StageHealth[])[];
  /** When the stage came into its present state, epoch ms; Infinity for a stage that said nothing. */
  stateSince(stage: string): number;
  newestWindowStart(): number | null;
  newestCommittedAt(): number | null;
}

const isLive = (metric: string): metric is LiveMetric => Object.hasOwn(LIVE_FIGURES, metric);

/** The part of a value that travels to the page; null for metrics it does not show. */
export function liveValue(value: MetricValue): LiveValue | null {
  const { metric, group, window_start, window_end, state, revision } = value;
  if (!isLive(metric)) return null;
  const values: Record<string, number | null> = {};
  for (const figure of LIVE_FIGURES[metric]) values[figure] = value.values[figure] ?? null;
  return { metric, group, window_start, window_end, state, revision, values };
}

const max = (a: number | null, b: number): number => (a === null || b > a ? b : a);

/** `now`: epoch ms; decides which processes still live. */
export function liveModel(now: () => number): LiveModel {
  const values = new Map<string, Entry<LiveValue>>();
  const stages = new Map<string, StageEntry>();
  let seq = 0;
  let dirty = false;
  let newestStart: number | null = null;
  let newestEventTime: number | null = null;
  let newestCommittedAt: number | null = null;

  const dropBefore = (start: number): void => {
    for (const [key, entry] of values) if (entry.item.window_start < start) values.delete(key);
  };

  const bound = (): void => {
    if (newestStart !== null) dropBefore(newestStart - LIVE_SPAN_MS);
    while (values.size > VALUES_MAX) {
      const starts = [...new Set([...values.values()].map((entry) => entry.item.window_start))].sort(
        (a, b) => a - b,
      );
      if (starts.length < 2) break;
      dropBefore(starts[1]!);
    }
  };

  const applyValue = (value: MetricValue): boolean => {
    const item = liveValue(value);
    if (item === null) return false;
    if (newestStart !== null && item.window_start < newestStart - LIVE_SPAN_MS) return false;
    const key = metricKey(value);
    const version = metricVersion(value);
    const known = values.get(key);
    if (known !== undefined && known.version >= version) return false;
    if (known === undefined && values.size >= 2 * VALUES_MAX) return false;
    values.set(key, { item, seq: seq + 1, version });
    newestStart = max(newestStart, item.window_start);
    newestEventTime = max(newestEventTime, value.newest_event_time);
    newestCommittedAt = max(newestCommittedAt, value.newest_committed_at);
    return true;
  };

  const applyHealth = (health: StageHealth): boolean => {
    const key = healthKey(health);
    const known = stages.get(key);
    if (known !== undefined && known.version >= health.at) return false;
    const stateSince = known?.item.state === health.state ? known.stateSince : health.at;
    stages.set(key, { item: health, seq: seq + 1, version: health.at, stateSince });
    while (stages.size > HEALTH_MAX) {
      const [oldest] = [...stages].reduce((a, b) => (b[1].version < a[1].version ? b : a));
      stages.delete(oldest);
    }
    return true;
  };

  const healths = () => [...stages.values()].map((entry) => entry.item);

  const stagesAfter = (from: number): LiveStage[] => {
    const changed = new Set(after(stages, from).map(({ stage }) => stage));
    return [...byStage(healths())].flatMap(([stage, all]) =>
      changed.has(stage) ? [liveStage(all, now())] : [],
    );
  };

  const stateSince = (stage: string): number => {
    const entries = [...stages.values()].filter(({ item }) => item.stage === stage);
    if (entries.length === 0) return Number.POSITIVE_INFINITY;
    const all = entries.map(({ item }) => item);
    const present = presentInstances(all, now());
    const { state } = liveStage(all, now());
    const since = entries.filter(({ item }) => present.includes(item) && item.state === state);
    // While another process lived, the stage was what that one said.
    const gone = all.filter((item) => !present.includes(item)).map(({ at }) => at);
    return Math.max(Math.min(...since.map((entry) => entry.stateSince)), ...gone);
  };

  const after = <T>(entries: ReadonlyMap<string, Entry<T>>, from: number): T[] => {
    const found: T[] = [];
    for (const entry of entries.values()) if (entry.seq > from) found.push(entry.item);
    return found;
  };

  return {
    seq: () => seq,
    apply(change) {
      const before = newestStart;
      let changed = false;
      for (const value of change.values) changed = applyValue(value) || changed;
      for (const health of change.health) changed = applyHealth(health) || changed;
      if (newestStart !== before || values.size > VALUES_MAX) bound();
      dirty ||= changed;
      return changed;
    },
    advance() {
      if (!dirty) return false;
      dirty = false;
      seq += 1;
      return true;
    },
    since: (from) => ({
      newest_event_time: newestEventTime,
      newest_committed_at: newestCommittedAt,
      values: after(values, from),
      stages: stagesAfter(from),
    }),
    stages: () => liveStages(healths(), now()),
    instances: () => [...byStage(healths()).values()].map((all) => presentInstances(all, now())),
    stateSince,
    newestWindowStart: () => newestStart,
    newestCommittedAt: () => newestCommittedAt,
  };
}
