// The shop that capture's benchmarks read: its sales stand behind replication slots, and each round reads them again.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { TOPICS, type Topic } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { ensureDatabase, type PostgresServer } from '../src/services/postgres/postgres.ts';
import { capture } from '../src/stages/capture/capture.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import { logicalFeed } from '../src/stores/shop/logical-feed.ts';
import { postgresShopNames } from '../src/stores/shop/postgres-shop-names.ts';
import { ensureShopSchema } from '../src/stores/shop/schema.ts';

export const SALES = 60_000;
export const ROWS_PER_SALE = 3;
/** Made before the sales: copies of it read them again and again. */
export const PEER_SLOT = 'bench_peer';
const MERCHANTS = 50;
const BUYERS = 2_000;
const PRODUCTS = 500;

export type CaptureBroker = Parameters<typeof capture>[0]['broker'];

export interface Times {
  wallMs: number;
  /** Of the reading process. */
  cpuMs: number;
}

export interface Bench {
  readonly postgres: PostgresServer;
  readonly url: string;
  readonly folder: string;
}

export const worst = (): Times => ({ wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY });

export function keepBest(best: Times, times: Times | null): void {
  if (times === null) return;
  best.wallMs = Math.min(best.wallMs, times.wallMs);
  best.cpuMs = Math.min(best.cpuMs, times.cpuMs);
}

/** A shop whose snapshot is taken, and then the sales, one transaction each. Resolves with the end of their log. */
export async function prepare(run: Bench): Promise<string> {
  const { url } = run;
  await makeShop(run);
  const dir = join(run.folder, 'start');
  mkdirSync(dir);
  const broker = sqliteBroker({ dir, clock: systemClock, log: silentLog });
  await broker.createTopics(Object.values(TOPICS));
  await takeSnapshot(run, dir, broker);
  await broker.close();
  await query(url, `SELECT pg_create_logical_replication_slot('${PEER_SLOT}', 'pgoutput')`);
  return sell(url);
}

/** Merchants, buyers and products. */
export async function makeShop({ postgres, url }: Bench): Promise<void> {
  for (const name of ['instashop', 'crm_db']) await ensureDatabase(postgres.url('postgres'), name);
  await ensureShopSchema(url, postgres.url('crm_db'));
  await query(
    url,
    `INSERT INTO customer (name, subscription_plan)
     SELECT 'Merchant ' || n, 'premium' FROM generate_series(1, ${MERCHANTS}) n;
     INSERT INTO buyer (name, email)
     SELECT 'Buyer ' || n, 'buyer' || n || '@example.com' FROM generate_series(1, ${BUYERS}) n;
     INSERT INTO product (customer_id, name, category, price)
     SELECT 1 + n % ${MERCHANTS}, 'Product ' || n, 'Category ' || n % 10, 10 + n % 90
     FROM generate_series(1, ${PRODUCTS}) n;`,
  );
}

/** Commits the sales; resolves with the end of their log. */
export async function sell(url: string): Promise<string> {
  await query(url, SELL);
  await query(url, 'CHECKPOINT');
  const [row] = await query(url, 'SELECT pg_current_wal_lsn() AS lsn');
  return row!['lsn']!;
}

const SELL = `
  DO $$
  DECLARE sale bigint;
  BEGIN
    PERFORM set_config('synchronous_commit', 'off', false);
    FOR n IN 1..${SALES} LOOP
      INSERT INTO transaction
        (buyer_id, customer_id, transaction_date, total_amount, payment_method, status, session_id)
      VALUES (1 + n % ${BUYERS}, 1 + n % ${MERCHANTS}, clock_timestamp(), 59.98 + n % 100, 'Credit Card', 'completed',
              's-' || lpad(to_hex(n), 12, '0'))
      RETURNING transaction_id INTO sale;
      INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)
      VALUES (sale, 1 + n % ${PRODUCTS}, 2, 29.99), (sale, 1 + n * 7 % ${PRODUCTS}, 1, 12.5);
      COMMIT;
    END LOOP;
  END $$`;

/** A first, empty run: log and state are then as a stage that starts again finds them. */
export async function takeSnapshot(
  run: Bench,
  dir: string,
  broker: CaptureBroker,
  stateTopic: Topic | null = null,
): Promise<void> {
  const feed = logicalFeed({ url: run.url, database: 'instashop', clock: systemClock, log: silentLog });
  let isTaken = false;
  const nothing = async function* () {};
  const read = () => {
    isTaken = true;
    return nothing();
  };
  await runStage(run, dir, broker, { ...feed, read }, () => isTaken, stateTopic);
  await feed.close();
}

/** The stage, from the first rows it reads until `isDone` of the events it has published. */
export async function runStage(
  { url }: Bench,
  dir: string,
  broker: CaptureBroker,
  feed: ReturnType<typeof logicalFeed>,
  isDone: (sales: number) => boolean,
  stateTopic: Topic | null = null,
): Promise<Times> {
  const names = postgresShopNames(url);
  let cpu = process.cpuUsage();
  let start = performance.now();
  const timed = async function* (signal: AbortSignal) {
    let isFirst = true;
    for await (const sets of feed.read(signal)) {
      if (isFirst) [cpu, start, isFirst] = [process.cpuUsage(), performance.now(), false];
      yield sets;
    }
  };
  const stage = capture({
    feeds: [{ ...feed, read: timed }],
    names,
    broker,
    clock: systemClock,
    log: silentLog,
    dir,
    mainCurrency: 'USD',
    resnapshot: false,
    stateTopic,
  });
  const stop = new AbortController();
  const running = stage.run(stop.signal);
  do await Promise.race([running, systemClock.sleep(2)]);
  while (!isDone(stage.health().processed));
  const wallMs = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  stop.abort();
  await running;
  await names.close();
  return { wallMs, cpuMs: (user + system) / 1_000 };
}

export async function query(url: string, sql: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(sql);
    return Array.isArray(result) ? [] : result.rows;
  } finally {
    await client.end();
  }
}
