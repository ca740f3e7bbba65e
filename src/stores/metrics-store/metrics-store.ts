// The metrics store port: the newest values of every window of the last hour, for whoever serves them.
import type { MetricValue } from '../../contracts/metric-value.ts';
import type { StageHealth } from '../../contracts/stage-health.ts';

/** Healths that are kept at most: processes come and go, and the one that was silent for longest goes first. */
export const HEALTH_MAX = 200;

export interface MetricsStore {
  /** Whether it holds what was written to it: false of a new store, and of one that lost anything. */
  isFilled(): Promise<boolean>;
  /** Called when whatever it lacks is sure to be written again: from now on writes take effect. */
  markFilled(): Promise<void>;
  /**
   * Stores values whose version (contracts/metric-value.ts) is higher than the stored one's, the whole batch at once
   * (up to 1,000 values); the others change nothing. Also sets the original's keys (contracts/seed-keys.ts) from the
   * newest window that has data: an older window never replaces a newer one. Everything expires METRICS_TTL_MS after
   * its last write (in Redis a window of a metric expires whole, after the last write to any of its groups).
   * Resolves with how many took effect. Rejects with MetricsStoreEmptiedError while the store is not marked as filled.
   */
  write(values: readonly MetricValue[]): Promise<number>;
  /** JSON text of one of the original's keys (`metrics:transactions`, …), null when absent or expired. */
  get(key: string): Promise<string | null>;
  /** The original's keys that exist, sorted. */
  keys(): Promise<readonly string[]>;
  /** Values of a metric whose window starts in [fromMs, toMs), by window then group. */
  range(metric: string, fromMs: number, toMs: number): Promise<readonly MetricValue[]>;
  /** The newest health each process of a stage reported (healthKey). Rejects as `write` does. */
  writeHealth(health: readonly StageHealth[]): Promise<void>;
  /** By healthKey. */
  health(): Promise<readonly StageHealth[]>;
  /**
   * Values and healths that took effect from now on, also those written by other processes, in order; one that a newer
   * version replaced before it could be told may be left out. After a fault it may tell what took effect before; but
   * never a version at or below one it told already. The listener must not throw. Call the result to stop.
   */
  subscribe(listener: (change: MetricsChange) => void): () => void;
  close(): Promise<void>;
}

export interface MetricsChange {
  readonly values: readonly MetricValue[];
  readonly health: readonly StageHealth[];
}

/** The store lost what it held, or never held anything: its writer must fill it first. */
export class MetricsStoreEmptiedError extends Error {
  readonly retryable = true;
  constructor() {
    super('the metrics store is empty');
    this.name = 'MetricsStoreEmptiedError';
  }
}
