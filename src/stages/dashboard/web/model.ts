// What the page knows, without the page: values by metric and key, stages by name, and the times that came with them.
import {
  type LiveChange,
  type LiveRankings,
  type LiveScope,
  type LiveSnapshot,
  type LiveStage,
  type LiveValue,
  liveKey,
} from '../../../contracts/live.ts';

type Values = ReadonlyMap<string, ReadonlyMap<string, LiveValue>>;

export interface Model {
  readonly version: string;
  readonly profile: string;
  readonly mainCurrency: string;
  readonly scope: LiveScope;
  readonly serverTime: number;
  readonly newestEventTime: number | null;
  readonly newestCommittedAt: number | null;
  readonly knownFrom: number | null;
  readonly values: Values;
  readonly stages: ReadonlyMap<string, LiveStage>;
  readonly rankings: LiveRankings | null;
  /** Whether records wait, where the stages are not told. */
  readonly waiting?: boolean;
}

/** All values of a metric. */
export const valuesOf = (
  { values }: Pick<Model, 'values'>,
  metric: LiveValue['metric'],
): Iterable<LiveValue> => values.get(metric)?.values() ?? [];

const EMPTY: Pick<Model, 'values' | 'stages' | 'rankings'> = {
  values: new Map(),
  stages: new Map(),
  rankings: null,
};

/** A model made of a snapshot alone. */
export const fromSnapshot = (snapshot: LiveSnapshot): Model => ({
  version: snapshot.version,
  profile: snapshot.profile,
  mainCurrency: snapshot.main_currency,
  scope: snapshot.scope,
  ...withChange(EMPTY, snapshot, snapshot.scope),
});

/** Only the metrics that changed are copied: the old ones stay as they are (a paused page goes on showing them). */
function changedValues(known: Values, changes: readonly LiveValue[], periodMs: number): Values {
  if (changes.length === 0) return known;
  const values = new Map(known);
  for (const [metric, changed] of Map.groupBy(changes, (value) => value.metric)) {
    const next = new Map(values.get(metric));
    let newest = Number.NEGATIVE_INFINITY;
    for (const value of changed) next.set(liveKey(value), value);
    for (const { window_start } of next.values()) newest = Math.max(newest, window_start);
    for (const [key, { window_start }] of next) if (window_start < newest - 2 * periodMs) next.delete(key);
    values.set(metric, next);
  }
  return values;
}

/** What a change makes of the model; the old one stays as it is. */
export function withChange(
  model: Pick<Model, 'values' | 'stages' | 'rankings'>,
  change: LiveChange,
  scope: LiveScope,
): Omit<Model, 'version' | 'profile' | 'mainCurrency' | 'scope'> {
  const stages = new Map(model.stages);
  for (const stage of change.stages) stages.set(stage.stage, stage);
  return {
    serverTime: change.server_time,
    newestEventTime: change.newest_event_time,
    newestCommittedAt: change.newest_committed_at,
    knownFrom: change.known_from,
    values: changedValues(model.values, change.values, scope.period_s * 1_000),
    stages,
    rankings: change.rankings ?? model.rankings,
    ...(change.waiting !== undefined && { waiting: change.waiting }),
  };
}

/** The model after a change. */
export const changed = (model: Model, change: LiveChange): Model => ({
  ...model,
  ...withChange(model, change, model.scope),
});
