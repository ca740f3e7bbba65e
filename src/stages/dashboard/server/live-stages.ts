// A stage may have several processes, each with its own word: what they are together.
import { type LiveStage, SILENT_AFTER_MS } from '../../../contracts/live.ts';
import type { StageHealth } from '../../../contracts/stage-health.ts';

/** The best state of any process is the stage's: work that is shared goes on. */
const STATES: readonly StageHealth['state'][] = [
  'running',
  'retrying',
  'starting',
  'standby',
  'failed',
  'stopped',
];
const rank = ({ state }: StageHealth): number => STATES.indexOf(state);

const isAlive = ({ state, at }: StageHealth, nowMs: number): boolean =>
  state !== 'failed' && state !== 'stopped' && nowMs - at <= SILENT_AFTER_MS;

/**
 * The processes of one stage that count: those that live, or else the one that spoke last. A process that was replaced,
 * or stopped because fewer are wanted, is forgotten while another one lives.
 */
export function presentInstances<T extends StageHealth>(all: readonly T[], nowMs: number): readonly T[] {
  const alive = all.filter((one) => isAlive(one, nowMs));
  if (alive.length > 0) return alive;
  return all.toSorted((a, b) => b.at - a.at).slice(0, 1);
}

/** All processes of one stage in one; `all` is not empty. */
export function liveStage(all: readonly StageHealth[], nowMs: number): LiveStage {
  const present = presentInstances(all, nowMs);
  const standby = present.filter(({ state }) => state === 'standby');
  // Who waits sees the same work as who does it.
  const workers =
    standby.length === present.length ? present : present.filter((one) => !standby.includes(one));
  const best = workers.toSorted((a, b) => rank(a) - rank(b) || b.at - a.at)[0]!;
  const { stage, state, lag_unit } = best;
  const sum = (figure: (one: StageHealth) => number): number =>
    workers.reduce((total, one) => total + figure(one), 0);
  const known = <T>(values: readonly (T | null)[]): T[] => values.filter((value) => value !== null);
  // One that failed just now is told although others go on.
  const failing = all
    .filter((one) => one.last_error !== null && nowMs - one.at <= SILENT_AFTER_MS)
    .toSorted((a, b) => rank(b) - rank(a) || b.at - a.at);
  const lags = known(workers.map(({ lag }) => lag));
  const newest = known(workers.map(({ newest_at }) => newest_at));
  return {
    stage,
    ...(workers.length > 1 && { instances: workers.length }),
    ...(standby.length > 0 && present.length > 1 && { standby: standby.length }),
    state,
    at: Math.max(...workers.map(({ at }) => at)),
    lag: lags.length === 0 ? null : lags.reduce((total, lag) => total + lag, 0),
    lag_unit,
    newest_at: newest.length === 0 ? null : Math.max(...newest),
    processed: sum((one) => one.processed),
    errors: [...new Set([...workers, ...failing])].reduce((total, one) => total + one.errors, 0),
    dead_letters: sum((one) => one.dead_letters),
    last_error: (failing[0] ?? best).last_error,
    figures: summed(workers.map(({ figures }) => figures)),
  };
}

function summed(all: readonly StageHealth['figures'][]): StageHealth['figures'] {
  const total: Record<string, number> = {};
  for (const figures of all) {
    for (const [name, figure] of Object.entries(figures)) total[name] = (total[name] ?? 0) + figure;
  }
  return total;
}

/** The processes by stage, in the order the stages were met. */
export function byStage<T extends Pick<StageHealth, 'stage'>>(
  all: Iterable<T>,
): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(all, ({ stage }) => stage);
}

/** Every stage, its processes in one. */
export const liveStages = (all: Iterable<StageHealth>, nowMs: number): readonly LiveStage[] =>
  [...byStage(all).values()].map((instances) => liveStage(instances, nowMs));
