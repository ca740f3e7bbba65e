// The metrics store of the cluster: Redis 7 or later, or Valkey. It decides by the server's clock what has expired.
import { groupKey, type MetricValue, metricVersion } from '../../contracts/metric-value.ts';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { seedEntry } from '../../contracts/seed-keys.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type MetricsChange, type MetricsStore, MetricsStoreEmptiedError } from './metrics-store.ts';
import { type RedisClient, RedisConnection } from './redis-connection.ts';
import { redisFeed } from './redis-feed.ts';
import { lastChange, readHealth, readKeys, readWindows } from './redis-reads.ts';
import { evaluate, KEYS, MARK_FILLED, type Script, WRITE_HEALTH, WRITE_VALUES } from './redis-scripts.ts';

/** Values one script writes: it keeps the server from everything else for some milliseconds. */
const BATCH_MAX = 1_000;
const SEED_PREFIX = 'metrics:';

export interface RedisMetricsStoreOptions {
  /** redis://user:password@host:port, rediss:// for TLS. */
  readonly url: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Whose amounts the original's keys show (ISO code). */
  readonly mainCurrency: string;
  /** Default METRICS_TTL_MS. */
  readonly ttlMs?: number;
}

/**
 * Opens the store once the server answers. Everything rejects with a retryable error while the server is away or
 * frozen (within some seconds), and with a UserError when it refuses the user. Close it in the end.
 */
export async function redisMetricsStore(options: RedisMetricsStoreOptions): Promise<MetricsStore> {
  const connection = new RedisConnection(options.url, options.clock);
  try {
    await lastChange(connection);
  } catch (error) {
    connection.close();
    throw error;
  }
  return new RedisMetricsStore(options, connection);
}

class RedisMetricsStore implements MetricsStore {
  readonly #options: RedisMetricsStoreOptions;
  readonly #ttlMs: number;
  readonly #connection: RedisConnection;
  readonly #listeners = new Set<(change: MetricsChange) => void>();
  #feed: { close(): void } | null = null;
  readonly #servers = new WeakMap<RedisClient, Promise<string>>();

  constructor(options: RedisMetricsStoreOptions, connection: RedisConnection) {
    this.#options = options;
    this.#ttlMs = options.ttlMs ?? METRICS_TTL_MS;
    this.#connection = connection;
  }

  async isFilled(): Promise<boolean> {
    return this.#connection.run(
      async (client) => (await client.hGet(KEYS.filled, 'server')) === (await this.#server(client)),
    );
  }

  async markFilled(): Promise<void> {
    await this.#connection.run(async (client) => evaluate(client, MARK_FILLED, [await this.#server(client)]));
  }

  async write(values: readonly MetricValue[]): Promise<number> {
    let taken = 0;
    for (let at = 0; at < values.length; at += BATCH_MAX) {
      const texts = values.slice(at, at + BATCH_MAX).flatMap((value) => this.#texts(value));
      taken += await this.#change(WRITE_VALUES, [String(this.#ttlMs), ...texts]);
    }
    return taken;
  }

  async get(key: string): Promise<string | null> {
    return this.#connection.run((client) => client.get(key));
  }

  async keys(): Promise<readonly string[]> {
    return readKeys(this.#connection, SEED_PREFIX);
  }

  async range(metric: string, fromMs: number, toMs: number): Promise<readonly MetricValue[]> {
    const found: MetricValue[] = [];
    for await (const values of readWindows(this.#connection, metric, fromMs, toMs)) {
      for (const value of values) found.push(value);
    }
    return found;
  }

  async writeHealth(health: readonly StageHealth[]): Promise<void> {
    if (health.length === 0) return;
    const texts = health.flatMap((said) => [healthKey(said), String(said.at), JSON.stringify(said)]);
    await this.#change(WRITE_HEALTH, texts);
  }

  async health(): Promise<readonly StageHealth[]> {
    return readHealth(this.#connection);
  }

  subscribe(listener: (change: MetricsChange) => void): () => void {
    // Each call is a subscription of its own, whatever function it brings.
    const own = (change: MetricsChange) => listener(change);
    this.#listeners.add(own);
    this.#feed ??= redisFeed({
      ...this.#options,
      ttlMs: this.#ttlMs,
      // Asked on the connection that writes: whatever this process writes from now on comes after it.
      from: lastChange(this.#connection),
      tell: (change) => {
        for (const each of this.#listeners) each(change);
      },
    });
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.#stopFeed();
    };
  }

  async close(): Promise<void> {
    this.#listeners.clear();
    this.#stopFeed();
    this.#connection.close();
  }

  #stopFeed(): void {
    this.#feed?.close();
    this.#feed = null;
  }

  async #change(script: Script, args: readonly string[]): Promise<number> {
    const taken = await this.#connection.run(async (client) =>
      evaluate(client, script, [await this.#server(client), ...args]),
    );
    if (taken < 0) throw new MetricsStoreEmptiedError();
    return taken;
  }

  #texts(value: MetricValue): string[] {
    const { metric, window_start, window_end, group } = value;
    const seed = seedEntry(value, this.#options.mainCurrency);
    return [
      metric,
      String(window_start),
      String(window_end),
      groupKey(group),
      String(metricVersion(value)),
      JSON.stringify(value),
      seed?.key ?? '',
      seed === null ? '' : JSON.stringify(seed.fields),
    ];
  }

  /** Run id of the server at the other end of a connection: another one after each of its starts. */
  #server(client: RedisClient): Promise<string> {
    const known = this.#servers.get(client);
    if (known !== undefined) return known;
    const asked = client.info('server').then((info) => /run_id:(\w+)/.exec(info)![1]!);
    this.#servers.set(client, asked);
    return asked;
  }
}
