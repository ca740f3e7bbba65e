// The metrics store port: the newest values of every window of the last hour, for whoever serves them.
import type { MetricValue } from '../../contracts/metric-value.ts';
import type { StageHealth } from '../../contracts/stage-health.ts';

export interface MetricsStore {
  /**
   * Stores values whose version (contracts/metric-value.ts) is higher than the stored one's, the whole batch at once;
   * the others change nothing. Also sets the original's keys (contracts/seed-keys.ts) from the newest window that has
   * data: an older window never replaces a newer one. Everything expires METRICS_TTL_MS after its last write.
   * Resolves with how many took effect.
   */
  write(values: readonly MetricValue[]): Promise<number>;
  /** JSON text of one of the original's keys (`metrics:transactions`, …), null when absent or expired. */
  get(key: string): Promise<string | null>;
  /** The original's keys that exist, sorted. */
  keys(): Promise<readonly string[]>;
  /** Values of a metric whose window starts in [fromMs, toMs), by window then group. */
  range(metric: string, fromMs: number, toMs: number): Promise<readonly MetricValue[]>;
  /** The newest health each stage reported. */
  writeHealth(health: readonly StageHealth[]): Promise<void>;
  health(): Promise<readonly StageHealth[]>;
  /**
   * Values and healths that took effect from now on, also those written by other processes, in order; one that a newer
   * version replaced before it could be told may be left out. The listener must not throw. Call the result to stop.
   */
  subscribe(listener: (change: MetricsChange) => void): () => void;
  close(): Promise<void>;
}

export interface MetricsChange {
  readonly values: readonly MetricValue[];
  readonly health: readonly StageHealth[];
}
