// The metrics store for one machine: one SQLite file that one process writes and any number read and listen to.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { MetricValue } from '../../contracts/metric-value.ts';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { seedEntry } from '../../contracts/seed-keys.ts';
import type { StageHealth } from '../../contracts/stage-health.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type Nudge, openNudge } from '../../lib/nudge.ts';
import type { MetricsChange, MetricsStore } from './metrics-store.ts';
import { type Effect, MetricsTables } from './metrics-tables.ts';

/** How often the file is looked at without a nudge: one is missing when a writer was killed at the wrong moment. */
const LOOK_EVERY_MS = 1_000;
const SWEEP_EVERY_MS = 30_000;
const CHANGES_MAX = 1_000;

export interface EmbeddedMetricsStoreOptions {
  /** Folder of `metrics.db`; made when missing. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whose amounts the original's keys show (ISO code). */
  readonly mainCurrency: string;
  /** Default METRICS_TTL_MS. */
  readonly ttlMs?: number;
}

/** Opens (and makes) the store. A damaged file, or one of another version, is a UserError. Close it in the end. */
export function embeddedMetricsStore(options: EmbeddedMetricsStoreOptions): MetricsStore {
  mkdirSync(options.dir, { recursive: true });
  return new EmbeddedMetricsStore(options);
}

class EmbeddedMetricsStore implements MetricsStore {
  readonly #options: EmbeddedMetricsStoreOptions;
  readonly #tables: MetricsTables;
  readonly #nudge: Nudge;
  readonly #listeners = new Set<(change: MetricsChange) => void>();
  readonly #closing = new AbortController();
  readonly #upkeep: Promise<void>;
  /** The listeners have heard of everything up to this number of the feed. */
  #heard = 0;

  constructor(options: EmbeddedMetricsStoreOptions) {
    this.#options = options;
    this.#tables = new MetricsTables(join(options.dir, 'metrics.db'));
    this.#nudge = openNudge(join(options.dir, 'metrics.nudge'), () => this.#look(), options.log);
    this.#upkeep = this.#keepUp(this.#closing.signal);
  }

  async isFilled(): Promise<boolean> {
    return this.#tables.isFilled();
  }

  async markFilled(): Promise<void> {
    this.#tables.markFilled();
  }

  async write(values: readonly MetricValue[]): Promise<number> {
    if (values.length === 0) return 0;
    const { clock, mainCurrency, ttlMs = METRICS_TTL_MS } = this.#options;
    const now = clock.now();
    const effect = this.#tables.write(values, (value) => seedEntry(value, mainCurrency), now, now + ttlMs);
    this.#publish(effect);
    return effect.values.length;
  }

  async get(key: string): Promise<string | null> {
    return this.#tables.get(key, this.#options.clock.now());
  }

  async keys(): Promise<readonly string[]> {
    return this.#tables.keys(this.#options.clock.now());
  }

  async range(metric: string, fromMs: number, toMs: number): Promise<readonly MetricValue[]> {
    return this.#tables.range(metric, fromMs, toMs, this.#options.clock.now());
  }

  async writeHealth(health: readonly StageHealth[]): Promise<void> {
    if (health.length > 0) this.#publish(this.#tables.writeHealth(health));
  }

  async health(): Promise<readonly StageHealth[]> {
    return this.#tables.health();
  }

  subscribe(listener: (change: MetricsChange) => void): () => void {
    if (this.#listeners.size === 0) this.#heard = this.#tables.lastSeq();
    else this.#deliver();
    // Each call is a subscription of its own, whatever function it brings.
    const own = (change: MetricsChange) => listener(change);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#upkeep;
    this.#nudge.close();
    this.#tables.close();
  }

  #publish(effect: Effect): void {
    if (effect.values.length + effect.health.length === 0) return;
    if (this.#listeners.size > 0) {
      // Nobody else wrote in between: what was written need not be read again.
      if (effect.from === this.#heard) this.#tell(effect);
      else this.#deliver();
    }
    this.#nudge.send();
  }

  #deliver(): void {
    while (this.#listeners.size > 0) {
      const effect = this.#tables.changesAfter(this.#heard, CHANGES_MAX);
      if (effect.to === this.#heard) return;
      this.#tell(effect);
    }
  }

  #tell({ values, health, to }: Effect): void {
    this.#heard = to;
    if (values.length + health.length === 0) return;
    for (const listener of this.#listeners) listener({ values, health });
  }

  #look(): void {
    if (this.#closing.signal.aborted) return;
    try {
      this.#deliver();
    } catch (error) {
      this.#options.log.warn('cannot look at the metrics store', { error });
    }
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    let sweptAt = clock.now();
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      this.#look();
      if (signal.aborted || clock.now() - sweptAt < SWEEP_EVERY_MS) continue;
      sweptAt = clock.now();
      try {
        while (!signal.aborted && this.#tables.sweep(sweptAt)) {
          await new Promise((resolve) => setImmediate(resolve));
        }
      } catch (error) {
        log.warn('removing expired metrics is put off', { error });
      }
    }
  }
}
