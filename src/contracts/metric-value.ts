/**
 * Topic `metrics` (compacted), key = `metric|group|window_start`: the absolute values of one window of one group.
 * Writing it twice changes nothing; an older version never replaces a newer one.
 */
export interface MetricValue {
  /** Name of the definition in contracts/metrics.ts. */
  readonly metric: string;
  /** Values of the definition's `groupBy` fields, in its order. */
  readonly group: Readonly<Record<string, string | number | null>>;
  /** Names beside the group (merchant's, product's): shown, never counted by. */
  readonly labels: Readonly<Record<string, string | null>>;
  /** Inclusive, epoch ms. */
  readonly window_start: number;
  /** Exclusive, epoch ms. */
  readonly window_end: number;
  /** Aggregates and ratios by name; money in minor units. A min or max over nothing is null. */
  readonly values: Readonly<Record<string, number | null>>;
  /** How many events it is made of. Only grows. */
  readonly events: number;
  /** open: more is expected. closed: the watermark passed its end; later events make revisions. */
  readonly state: 'open' | 'closed';
  /** How many times it changed after it was closed. */
  readonly revision: number;
  readonly newest_event_time: number;
  readonly newest_committed_at: number;
}

/** A value takes effect only if its version is higher than the stored one's. Closing a window is a new version. */
export const metricVersion = (value: Pick<MetricValue, 'events' | 'state'>): number =>
  value.events * 2 + (value.state === 'closed' ? 1 : 0);

/** Key of the group alone: the group's values in the definition's order. */
export const groupKey = (group: MetricValue['group']): string => JSON.stringify(Object.values(group));

/** Key of a value in topic and store. */
export const metricKey = (value: Pick<MetricValue, 'metric' | 'group' | 'window_start'>): string =>
  `${value.metric}|${groupKey(value.group)}|${value.window_start}`;
