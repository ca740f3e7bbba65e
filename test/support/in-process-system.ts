// The whole system in the test's process: the real stages on the real stores, wired as the app wires them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { once } from '../../src/app/once.ts';
import { OPTIONS, type Options } from '../../src/app/options.ts';
import { PIPELINE } from '../../src/app/pipeline.ts';
import type { Platform } from '../../src/app/platform.ts';
import { embeddedProfile } from '../../src/app/profiles/embedded.ts';
import { healthToLog, report } from '../../src/app/report.ts';
import { STAGE_NAMES, type StageName } from '../../src/app/stage-names.ts';
import { supervise } from '../../src/app/supervise.ts';
import { METRICS } from '../../src/contracts/metrics.ts';
import { EVENT_TOPICS, TOPICS } from '../../src/contracts/topics.ts';
import { type Clock, systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { metricsStage } from '../../src/stages/metrics/embedded/stage.ts';
import type { Accounting } from '../../src/stages/metrics/engine.ts';
import { readAccounting } from '../../src/stages/metrics/sqlite-checkpoint.ts';
import type { Broker, BrokerRecord, StartOffsets } from '../../src/stores/broker/broker.ts';
import { readTopic } from '../../src/stores/broker/read-topic.ts';
import type { ChangeFeed } from '../../src/stores/shop/changes.ts';
import { dropFeed } from '../../src/stores/shop/drop-feed.ts';
import { ensureShopSchema } from '../../src/stores/shop/schema.ts';
import { assertAccounting } from './accounting.ts';
import type { TestPostgres } from './postgres.ts';

const QUIET_MS_MAX = 60_000;
const STAGES = STAGE_NAMES.filter((name) => name !== 'generator');

export interface SystemOptions {
  /** SQL for the shop before capture first sees it. */
  readonly shopBefore?: string;
  /** Fills crm_db before capture first sees it. */
  readonly crmBefore?: (crmUrl: string) => Promise<unknown>;
  readonly options?: Partial<Options>;
  readonly clock?: Clock;
}

export interface System {
  readonly shopUrl: string;
  readonly crmUrl: string;
  readonly dwhUrl: string;
  readonly dir: string;
  readonly platform: Platform;
  shop<R extends pg.QueryResultRow>(sql: string): Promise<R[]>;
  crm<R extends pg.QueryResultRow>(sql: string): Promise<R[]>;
  dwh<R extends pg.QueryResultRow>(sql: string): Promise<R[]>;
  /** Address of the page. */
  page(): Promise<string>;
  /** Resolves when everything committed in the shop before the call, or appended to the log, has gone all the way. */
  quiet(): Promise<void>;
  /** What the log holds of a topic. */
  records(topic: string): Promise<readonly BrokerRecord[]>;
  /** The accounting of a quiet system: fails with its report where two places differ. */
  verify(): Promise<void>;
  /** Sums of the windows, as of the newest checkpoint. */
  windows(): Accounting;
  stop(): Promise<void>;
  /** Starts again after `stop`, on the same data. */
  start(clock?: Clock): Promise<void>;
}

/** Four products of one merchant, and a second merchant. */
export const CATALOGUE = `
  INSERT INTO customer (name, subscription_plan) VALUES ('Casa Luna', 'premium'), ('Sol y Mar', 'basic');
  INSERT INTO buyer (name, email) SELECT 'Buyer ' || n, 'b' || n || '@example.com' FROM generate_series(1, 50) n;
  INSERT INTO product (customer_id, name, category, price) VALUES
    (1, 'Lamp', 'Home', 30), (1, 'Book', 'Books', 12.5), (2, 'Cup', 'Home', 4.25), (2, 'Pen', 'Office', 1.1);`;

/** Starts the system on databases of its own; it is stopped and removed after the test. */
export async function startSystem(
  t: { after(fn: () => Promise<void>): void },
  postgres: TestPostgres,
  { shopBefore = CATALOGUE, crmBefore, options = {}, clock = systemClock }: SystemOptions = {},
): Promise<System> {
  const [shopUrl, crmUrl, dwhUrl] = [
    await postgres.database(),
    await postgres.database(),
    await postgres.database(),
  ];
  const dir = mkdtempSync(join(tmpdir(), 'instashop-system-'));
  await ensureShopSchema(shopUrl, crmUrl);
  if (shopBefore) await postgres.sql(shopUrl, shopBefore);
  await crmBefore?.(crmUrl);
  const defaults = Object.fromEntries(Object.entries(OPTIONS).map(([name, one]) => [name, one.default]));
  const all = {
    ...(defaults as Options),
    dataDir: dir,
    dashboardPort: 0,
    generator: 'off',
    ...options,
  } as Options;
  const urls = { shop: shopUrl, crm: crmUrl, dwh: dwhUrl };
  let running: Running | null = await run(all, urls, clock);
  const now = (): Running => {
    if (running === null) throw new Error('the system is stopped');
    return running;
  };
  const stop = async (): Promise<void> => {
    await running?.stop();
    running = null;
  };
  t.after(async () => {
    await stop();
    await dropFeed(shopUrl, 'instashop');
    await dropFeed(crmUrl, 'crm_db');
    rmSync(dir, { recursive: true });
  });
  return {
    shopUrl,
    crmUrl,
    dwhUrl,
    dir,
    get platform() {
      return now().platform;
    },
    shop: (sql) => postgres.sql(shopUrl, sql),
    crm: (sql) => postgres.sql(crmUrl, sql),
    dwh: (sql) => postgres.sql(dwhUrl, sql),
    page: () => now().page(),
    quiet: async () => {
      const rows = await postgres.sql<{ lsn: string }>(
        shopUrl,
        `SELECT pg_current_wal_flush_lsn() - '0/0' AS lsn`,
      );
      await now().quiet(BigInt(rows[0]!.lsn));
    },
    async records(topic) {
      const found: BrokerRecord[] = [];
      await readTopic(
        await now().platform.broker('dashboard'),
        topic,
        async (record) => void found.push(record),
      );
      return found;
    },
    async verify() {
      const { capture } = all;
      // Quiet already: the shop is told only now and then how far capture has come.
      await assertAccounting({ shopUrl, crmUrl, dwhUrl, dataDir: dir, capture, waitMs: 1 });
    },
    windows: () => readAccounting(join(dir, 'metrics'), METRICS)!,
    stop,
    async start(later = clock) {
      running = await run(all, urls, later);
    },
  };
}

interface Running {
  readonly platform: Platform;
  page(): Promise<string>;
  quiet(lsn: bigint): Promise<void>;
  stop(): Promise<void>;
}

async function run(
  options: Options,
  urls: Parameters<typeof embeddedProfile>[0]['urls'],
  clock: Clock,
): Promise<Running> {
  const real = embeddedProfile({ options, urls, clock, log: silentLog });
  const progress = new Progress();
  const broker = once(async () => progress.ofBroker(await real.broker('dashboard')));
  const platform: Platform = {
    ...real,
    broker,
    feeds: once(async () => (await real.feeds()).map((feed) => progress.ofFeed(feed))),
    metrics: async () =>
      metricsStage({
        broker: await broker(),
        clock,
        log: silentLog,
        dir: real.dir('metrics'),
        checkpointIntervalMs: 100,
      }),
  };
  const stages = STAGES.map((name: StageName) =>
    supervise(name, () => PIPELINE[name](platform), { clock, log: silentLog }),
  );
  const reporting = new AbortController();
  const reports = report({ stages, send: healthToLog(broker), clock, log: silentLog }, reporting.signal);
  let fault: unknown = null;
  const runs = stages.map((stage) =>
    stage.run().catch((error: unknown) => {
      fault ??= error;
    }),
  );
  const waitFor = async (what: string, reached: () => Promise<boolean>): Promise<void> => {
    const until = performance.now() + QUIET_MS_MAX;
    while (!(await reached())) {
      if (fault !== null) throw fault;
      if (performance.now() > until) {
        const said = JSON.stringify(stages.map((stage) => stage.health()));
        throw new Error(`${what} in ${QUIET_MS_MAX} ms: ${said}`);
      }
      await systemClock.sleep(50);
    }
  };
  return {
    platform,
    async page() {
      const { url } = stages.find(({ name }) => name === 'dashboard')!;
      await waitFor('no page', async () => url() !== null);
      return url()!;
    },
    async quiet(lsn) {
      if (options.capture === 'logical') await waitFor('not captured', async () => progress.captured(lsn));
      await waitFor('not through', () => progress.isThrough(platform));
    },
    async stop() {
      for (const [index, stage] of stages.entries()) {
        stage.stop();
        await runs[index];
      }
      reporting.abort();
      await reports;
      await real.close();
      if (fault !== null) throw fault;
    },
  };
}

/** Who has finished with what: a reader that asks for the next batch is done with the one before. */
class Progress {
  readonly #feeds = new Map<string, bigint>();
  readonly #groups = new Map<string, Map<string, number>>();

  ofFeed(feed: ChangeFeed): ChangeFeed {
    const reached = this.#feeds;
    reached.set(feed.database, 0n);
    return {
      ...feed,
      async *read(signal) {
        for await (const sets of feed.read(signal)) {
          yield sets;
          reached.set(feed.database, sets.at(-1)!.ackTo);
        }
      },
    };
  }

  ofBroker(broker: Broker): Broker {
    const groups = this.#groups;
    return new Proxy(broker, {
      get(target, name) {
        if (name !== 'read') {
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        }
        return async function* (options: Parameters<Broker['read']>[0]) {
          const reached = new Map<string, number>(await target.committed(options.group));
          groups.set(options.group, reached);
          const { from = new Map() } = options;
          const noted: StartOffsets = async (assigned) => {
            const offsets = typeof from === 'function' ? await from(assigned) : from;
            for (const [key, offset] of offsets) reached.set(key, offset);
            return offsets;
          };
          for await (const batch of target.read({ ...options, from: noted })) {
            yield batch;
            for (const { topic, partition, offset } of batch.records)
              reached.set(`${topic}/${partition}`, offset + 1);
          }
        };
      },
    });
  }

  captured(lsn: bigint): boolean {
    return this.#feeds.size === 2 && [...this.#feeds.values()].every((reached) => reached >= lsn);
  }

  /** Stage by stage in flow order, so that what one has written is awaited of the next. */
  async isThrough(platform: Platform): Promise<boolean> {
    const broker = await platform.broker('dashboard');
    const reads = async (
      group: string,
      topics: readonly string[],
      committed?: ReadonlyMap<string, number>,
    ) => {
      const reached = committed ?? this.#groups.get(group);
      const partitions = (await Promise.all(topics.map((topic) => broker.partitions(topic)))).flat();
      return partitions.every(
        ({ topic, partition, end }) => (reached?.get(`${topic}/${partition}`) ?? 0) >= end,
      );
    };
    const events = EVENT_TOPICS.map(({ name }) => name);
    if (!(await reads('enrichment', [TOPICS.transactions.name]))) return false;
    const stored = await (await platform.warehouse('dashboard')).offsets();
    const loaded = new Map([...stored].map(([key, { nextOffset }]) => [key as string, nextOffset]));
    return (
      (await reads('loader', events, loaded)) &&
      (await reads('metrics', events, await broker.committed('metrics'))) &&
      (await reads('publisher', [TOPICS.metrics.name]))
    );
  }
}
