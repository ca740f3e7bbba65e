import { LIVE_FIGURES, LIVE_SPAN_MS, type LiveMetric, type LiveValue } from '../../../contracts/live.ts';
import { type MetricValue, metricKey, metricVersion } from '../../../contracts/metric-value.ts';

/** Changes that are remembered in order, so that a tick need not look at everything held. */
const RECENT_MAX = 4_000;

interface Entry {
  readonly item: LiveValue;
  /** The tick it belongs to: whoever has seen an earlier one needs it. */
  readonly seq: number;
  readonly version: number;
}

/** The newest value of every window, by tick. Bounded in time (LIVE_SPAN_MS) and number: the oldest windows go. */
export interface LiveValues {
  /** Takes it if it is newer than what there is, as part of that tick. Whether it was. */
  apply(value: MetricValue, seq: number): boolean;
  /** What changed after that tick; 0 gives all there is. */
  since(seq: number): readonly LiveValue[];
  newestStart(): number | null;
  oldestStart(): number | null;
  /** Whether windows within LIVE_SPAN_MS had to go for others. */
  isCut(): boolean;
}

const isLive = (metric: string): metric is LiveMetric => Object.hasOwn(LIVE_FIGURES, metric);

/** The part of a value that travels to the page; null for metrics that do not travel window by window. */
export function liveValue(value: MetricValue): LiveValue | null {
  const { metric, group, window_start, window_end, state, revision } = value;
  if (!isLive(metric)) return null;
  const values: Record<string, number | null> = {};
  for (const figure of LIVE_FIGURES[metric]) values[figure] = value.values[figure] ?? null;
  return { metric, group, window_start, window_end, state, revision, values };
}

/** Holds up to `valuesMax` values once a tick is applied. */
export function liveValues(valuesMax: number): LiveValues {
  const values = new Map<string, Entry>();
  /** Keys in the order of their changes; one may stand in it more than once. */
  let recent: { readonly key: string; readonly seq: number }[] = [];
  /** `recent` holds every change after this tick. */
  let recentFrom = 0;
  let newest: number | null = null;
  let oldest: number | null = null;
  let cut = false;

  const dropBefore = (start: number): void => {
    if (oldest === null || oldest >= start) return;
    oldest = null;
    for (const [key, { item }] of values) {
      if (item.window_start < start) values.delete(key);
      else if (oldest === null || item.window_start < oldest) oldest = item.window_start;
    }
  };

  const bound = (): void => {
    dropBefore(newest! - LIVE_SPAN_MS);
    while (values.size > valuesMax && oldest !== newest) {
      cut = true;
      dropBefore(oldest! + 1);
    }
  };

  const remember = (key: string, seq: number): void => {
    recent.push({ key, seq });
    if (recent.length < 2 * RECENT_MAX) return;
    recentFrom = recent[RECENT_MAX - 1]!.seq;
    recent = recent.slice(RECENT_MAX);
  };

  const after = (from: number): LiveValue[] => {
    let first = recent.length;
    while (first > 0 && recent[first - 1]!.seq > from) first -= 1;
    const keys = new Set(recent.slice(first).map(({ key }) => key));
    return [...keys].flatMap((key) => values.get(key)?.item ?? []);
  };

  return {
    apply(value, seq) {
      const item = liveValue(value);
      if (item === null) return false;
      const start = item.window_start;
      if (newest !== null && start < newest - LIVE_SPAN_MS) return false;
      const key = metricKey(value);
      const version = metricVersion(value);
      const known = values.get(key);
      if (known !== undefined && known.version >= version) return false;
      if (known === undefined && values.size >= 2 * valuesMax) return false;
      values.set(key, { item, seq, version });
      remember(key, seq);
      oldest = oldest === null ? start : Math.min(oldest, start);
      if (newest === null || start > newest) {
        newest = start;
        bound();
      } else if (values.size > valuesMax) bound();
      return true;
    },
    since: (from) =>
      from >= recentFrom && from > 0
        ? after(from)
        : [...values.values()].flatMap(({ item, seq }) => (seq > from ? [item] : [])),
    newestStart: () => newest,
    oldestStart: () => oldest,
    isCut: () => cut,
  };
}
