// Capture: the shop's change stream to durable events in the log, next to pg_recvlogical reading the same changes.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { TOPICS } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { ensureDatabase, type PostgresServer, startPostgres } from '../src/services/postgres/postgres.ts';
import { capture } from '../src/stages/capture/capture.ts';
import type { Broker } from '../src/stores/broker/broker.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import { logicalFeed, PUBLICATION } from '../src/stores/shop/logical-feed.ts';
import { postgresShopNames } from '../src/stores/shop/postgres-shop-names.ts';
import { ensureShopSchema } from '../src/stores/shop/schema.ts';
import type { BenchResult } from './result.ts';

const SALES = 60_000;
const ROWS_PER_SALE = 3;
const ROUNDS = 3;
const PEER_SLOT = 'bench_peer';
const MERCHANTS = 50;
const BUYERS = 2_000;
const PRODUCTS = 500;

interface Times {
  wallMs: number;
  /** Of the reading process. */
  cpuMs: number;
}

interface Bench {
  readonly postgres: PostgresServer;
  readonly url: string;
  readonly folder: string;
}

/** Best of some rounds, taken in turns, so that a busy machine slows all alike. */
export async function bench(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const settings = { fsync: 'off', max_wal_size: '2GB' };
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    port: 0,
    settings,
    log: silentLog,
  });
  try {
    const run: Bench = { postgres, url: postgres.url('instashop'), folder };
    const end = await prepare(run);
    const best = { log: worst(), json: worst(), peer: worst() };
    for (let round = 0; round < ROUNDS; round++) {
      keepBest(best.peer, await receive(run, end));
      keepBest(best.json, await captureAll(run, false));
      keepBest(best.log, await captureAll(run, true));
    }
    return results(best);
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const worst = (): Times => ({ wallMs: Number.POSITIVE_INFINITY, cpuMs: Number.POSITIVE_INFINITY });

function keepBest(best: Times, times: Times | null): void {
  if (times === null) return;
  best.wallMs = Math.min(best.wallMs, times.wallMs);
  best.cpuMs = Math.min(best.cpuMs, times.cpuMs);
}

function results(best: Readonly<Record<'log' | 'json' | 'peer', Times>>): BenchResult[] {
  const rows = SALES * ROWS_PER_SALE;
  const perSecond = ({ wallMs }: Times) => Math.round((rows / wallMs) * 1_000);
  const peer = Number.isFinite(best.peer.wallMs)
    ? (times: Times) => ({
        peer: 'pg_recvlogical, same changes, to /dev/null',
        peerValue: perSecond(best.peer),
        ratio: best.peer.wallMs / times.wallMs,
      })
    : () => ({ peer: 'pg_recvlogical is not installed' });
  const cpu = (name: string, { cpuMs }: Times): BenchResult => ({
    name,
    value: Math.round((cpuMs / rows) * 1e5) / 100,
    unit: 'CPU s per million rows',
  });
  return [
    {
      name: 'capture: shop to durable log',
      value: perSecond(best.log),
      unit: 'rows/s',
      ...peer(best.log),
      target: '>= 0.7 of pg_recvlogical, >= 60,000 rows/s',
    },
    { name: 'capture: shop to JSON', value: perSecond(best.json), unit: 'rows/s', ...peer(best.json) },
    cpu('capture: its process, to the log', best.log),
    cpu('capture: its process, to JSON', best.json),
  ];
}

/** A shop whose snapshot is taken, and then the sales, one transaction each. Resolves with the end of their log. */
async function prepare(run: Bench): Promise<string> {
  const { postgres, url } = run;
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
  await takeSnapshot(run);
  await query(url, `SELECT pg_create_logical_replication_slot('${PEER_SLOT}', 'pgoutput')`);
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

/** Log and state as after a first, empty run: every round begins from a copy of them. */
async function takeSnapshot(run: Bench): Promise<void> {
  const dir = join(run.folder, 'start');
  mkdirSync(dir);
  const broker = sqliteBroker({ dir, clock: systemClock, log: silentLog });
  await broker.createTopics(Object.values(TOPICS));
  const feed = logicalFeed({ url: run.url, database: 'instashop', clock: systemClock, log: silentLog });
  await runStage(run, dir, broker, { ...feed, read: async function* () {} }, () => true);
  await feed.close();
  await broker.close();
}

async function captureAll(run: Bench, toLog: boolean): Promise<Times> {
  const dir = join(run.folder, 'round');
  cpSync(join(run.folder, 'start'), dir, { recursive: true });
  const log = sqliteBroker({ dir, clock: systemClock, log: silentLog });
  const broker = toLog
    ? log
    : {
        recordBytesMax: log.recordBytesMax,
        append: async () => {},
        partitions: log.partitions.bind(log),
        read: log.read.bind(log),
      };
  // What is read is never acknowledged, so that the next round reads it again.
  const feed = logicalFeed({ url: run.url, database: 'instashop', clock: systemClock, log: silentLog });
  const times = await runStage(run, dir, broker, { ...feed, ack: () => {} }, (sales) => sales >= SALES);
  await feed.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
  return times;
}

async function runStage(
  { url }: Bench,
  dir: string,
  broker: Pick<Broker, 'append' | 'partitions' | 'read' | 'recordBytesMax'>,
  feed: ReturnType<typeof logicalFeed>,
  isDone: (sales: number) => boolean,
): Promise<Times> {
  const names = postgresShopNames(url);
  const stage = capture({
    feeds: [feed],
    names,
    broker,
    clock: systemClock,
    log: silentLog,
    dir,
    mainCurrency: 'USD',
    resnapshot: false,
  });
  const stop = new AbortController();
  const cpu = process.cpuUsage();
  const start = performance.now();
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

/** pg_recvlogical on a copy of the slot made before the sales; null where it is not installed. */
async function receive({ url }: Bench, end: string): Promise<Times | null> {
  const slot = `${PEER_SLOT}_round`;
  await query(url, `SELECT pg_copy_logical_replication_slot('${PEER_SLOT}', '${slot}')`);
  const options = ['proto_version=1', `publication_names=${PUBLICATION}`].flatMap((option) => ['-o', option]);
  const args = ['-d', url, '--slot', slot, '--start', '--no-loop', '-f', '/dev/null', '--endpos', end];
  const cpu = childCpuMs();
  const start = performance.now();
  try {
    await promisify(execFile)('pg_recvlogical', [...args, ...options], { timeout: 120_000 });
    return { wallMs: performance.now() - start, cpuMs: childCpuMs() - cpu };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw error;
  } finally {
    await query(url, `SELECT pg_drop_replication_slot('${slot}')`);
  }
}

/** CPU time of children that have ended (Linux; elsewhere not a number). */
function childCpuMs(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[13]) + Number(fields[14])) * 10;
  } catch {
    return Number.NaN;
  }
}

async function query(url: string, sql: string): Promise<Record<string, string>[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const result = await client.query(sql);
    return Array.isArray(result) ? [] : result.rows;
  } finally {
    await client.end();
  }
}

if (import.meta.main) console.table(await bench());
