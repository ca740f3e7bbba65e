// Which days can be compared where a retention has removed something.
import type { PartitionState } from '../../stores/broker/broker.ts';
import { DAY_MS, dayOf, dayOfKey, startOfDay } from './sums.ts';

export interface Scope {
  readonly includes: (day: string) => boolean;
  /** Nothing was removed. */
  readonly whole: boolean;
  readonly notes: readonly string[];
}

/**
 * Days whose every event is in the log: the first that began after the oldest record that is left was written.
 * `oldest`: when the first record of each partition was written.
 */
export function logScope(
  partitions: readonly PartitionState[],
  oldest: ReadonlyMap<string, number>,
  now: number,
): Scope {
  const cut = partitions.filter(({ start }) => start > 0);
  if (cut.length === 0) return { includes: () => true, whole: true, notes: [] };
  const since = Math.max(...cut.map(({ topic, partition }) => oldest.get(`${topic}/${partition}`) ?? now));
  const first = Math.ceil(since / DAY_MS) * DAY_MS;
  return {
    // A record that was refused has no day.
    includes: (day) => startOfDay(day) >= first,
    whole: false,
    notes: [`days from ${dayOf(first)} on: the log's retention has removed earlier records`],
  };
}

/**
 * Of these, what the warehouse's retention cannot have dropped: days that are within it, and days that were beyond it
 * already when the log's oldest record was written (their rows are kept apart and never dropped). `keys`: what there
 * is to compare.
 */
export function warehouseScope(
  scope: Scope,
  oldest: ReadonlyMap<string, number>,
  retentionDays: number,
  now: number,
  keys: Iterable<string>,
): Scope {
  const from = Math.min(now, ...oldest.values()) - (retentionDays + 1) * DAY_MS;
  const to = now - (retentionDays - 1) * DAY_MS;
  const dropped = (day: string) => startOfDay(day) >= from && startOfDay(day) < to;
  if (![...keys].some((key) => dropped(dayOfKey(key)))) return scope;
  return {
    includes: (day) => scope.includes(day) && !dropped(day),
    whole: false,
    notes: [
      ...scope.notes,
      `without ${dayOf(from)} to ${dayOf(to)}: the warehouse's retention may have dropped them`,
    ],
  };
}
