// What the page knows, without the page: values by key, stages by name, and the times that came with them.
import {
  LIVE_SPAN_MS,
  type LiveChange,
  type LiveSnapshot,
  type LiveStage,
  type LiveValue,
  liveKey,
} from '../../../contracts/live.ts';

export interface Model {
  readonly version: string;
  readonly profile: string;
  readonly mainCurrency: string;
  readonly serverTime: number;
  readonly newestEventTime: number | null;
  readonly newestCommittedAt: number | null;
  readonly values: ReadonlyMap<string, LiveValue>;
  readonly stages: ReadonlyMap<string, LiveStage>;
}

const newestStart = (values: Iterable<LiveValue>): number => {
  let newest = Number.NEGATIVE_INFINITY;
  for (const { window_start } of values) if (window_start > newest) newest = window_start;
  return newest;
};

/** A model made of a snapshot alone. */
export const fromSnapshot = (snapshot: LiveSnapshot): Model => ({
  version: snapshot.version,
  profile: snapshot.profile,
  mainCurrency: snapshot.main_currency,
  serverTime: snapshot.server_time,
  newestEventTime: snapshot.newest_event_time,
  newestCommittedAt: snapshot.newest_committed_at,
  values: new Map(snapshot.values.map((value) => [liveKey(value), value])),
  stages: new Map(snapshot.stages.map((stage) => [stage.stage, stage])),
});

/** The model after a change; the old one stays as it is (a paused page goes on showing it). */
export function withChange(model: Model, change: LiveChange): Model {
  const values = new Map(model.values);
  for (const value of change.values) values.set(liveKey(value), value);
  const oldest = newestStart(values.values()) - LIVE_SPAN_MS;
  for (const [key, value] of values) if (value.window_start < oldest) values.delete(key);
  const stages = new Map(model.stages);
  for (const stage of change.stages) stages.set(stage.stage, stage);
  return {
    ...model,
    serverTime: change.server_time,
    newestEventTime: change.newest_event_time,
    newestCommittedAt: change.newest_committed_at,
    values,
    stages,
  };
}
