// What it takes to count the people of a day: a warehouse with a day of the default rate, asked as the page asks.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { ensureDatabase, startPostgres } from '../src/services/postgres/postgres.ts';
import { postgresWarehouse } from '../src/stores/warehouse/postgres-warehouse.ts';
import type { BenchResult } from './result.ts';

const HOUR_MS = 3_600_000;
const DAYS = 2;
/** Of a day: 7 sales and 3 interactions a second, of which some sales come from a visit. */
const SALES = 600_000;
const INTERACTIONS = 260_000;
const STEPS = 8;
const BUYERS = 20_000;
const TIMES = 7;
/** Of one statement; `people` makes three. */
const TARGET_MS = 200;
const every = (count: number): string => `n * interval '${(24 * HOUR_MS) / count} ms'`;

/** $1: the first day. An interaction's place in its visit says what it is; every third visit buys. */
const FILL = `
INSERT INTO realtime_events (event_type, "timestamp", event_time, customer_id, product_id, session_id, raw_data,
  event_id, op, buyer_id, currency, amount_minor, status, interaction_type, source_database, source_position)
SELECT event_type, at, at, 1 + who % 50, who % 200, session_id, jsonb_build_object('text', repeat('x', 400)),
  gen_random_uuid(), op, who % ${BUYERS}, 'USD', 100 + who % 9000, status, interaction_type, 'bench', n
FROM (
  SELECT n, 'transaction' AS event_type, $1::timestamptz + ${every(SALES)} AS at,
    (hashint8(n) & 2147483647) AS who,
    CASE WHEN n % 40 = 0 THEN 'v-' || n / 40 * 3 ELSE 's-' || n END AS session_id,
    'placed' AS op, CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'completed' END AS status,
    NULL AS interaction_type
  FROM generate_series(1, ${DAYS * SALES}) AS n
  UNION ALL
  SELECT n, CASE n % ${STEPS} WHEN 3 THEN 'add_to_cart' WHEN 6 THEN 'add_to_cart'
      WHEN 7 THEN CASE WHEN n / ${STEPS} % 3 = 0 THEN 'checkout' ELSE 'cart_abandonment' END ELSE 'user_behavior' END,
    $1::timestamptz + ${every(INTERACTIONS)}, (hashint8(n / ${STEPS}) & 2147483647), 'v-' || n / ${STEPS},
    'recorded', 'completed',
    CASE WHEN n % 4 = 1 THEN 'product_inquiry' ELSE 'website_visit' END
  FROM generate_series(1, ${DAYS * INTERACTIONS}) AS n
) AS made`;
const SESSIONS = `
INSERT INTO customer_sessions
SELECT session_id, max(customer_id), '{"events": 1, "sales": 1}', 'bounce', max("timestamp")
FROM realtime_events GROUP BY session_id`;

const migration = (name: string): string =>
  readFileSync(new URL(`../src/stores/warehouse/migrations/${name}`, import.meta.url), 'utf8');

/** A warehouse of before people were counted, full: bringing it up to date is measured too. */
async function fill(url: string, from: number): Promise<void> {
  await query(
    url,
    `CREATE TABLE schema_migrations (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now());
     INSERT INTO schema_migrations (name) VALUES ('001-events.sql'), ('002-rollups.sql');
     ${migration('001-events.sql')} ${migration('002-rollups.sql')}`,
  );
  await query(url, FILL, [new Date(from)]);
  await query(url, SESSIONS);
}

async function query(url: string, sql: string, values?: readonly unknown[]): Promise<void> {
  const client = new pg.Client({ connectionString: url, options: '-c timezone=UTC' });
  await client.connect();
  try {
    await client.query(sql, values === undefined ? undefined : [...values]);
  } finally {
    await client.end();
  }
}

async function timed(ask: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await ask();
  return performance.now() - start;
}

/** The median of several times, after one that warms up. */
async function median(ask: () => Promise<unknown>): Promise<number> {
  await ask();
  const times: number[] = [];
  for (let n = 0; n < TIMES; n++) times.push(await timed(ask));
  return times.sort((a, b) => a - b)[TIMES >> 1]!;
}

/** Milliseconds of each question. */
export async function bench(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), port: 0, log: silentLog });
  try {
    await ensureDatabase(postgres.url('postgres'), 'dwh_db');
    const url = postgres.url('dwh_db');
    const to = systemClock.now();
    await fill(url, to - DAYS * 24 * HOUR_MS);
    const warehouse = postgresWarehouse({ url, clock: systemClock });
    const migrateMs = await timed(() => warehouse.migrate());
    await query(url, 'VACUUM ANALYZE');
    const ranges = [
      ['5 min', HOUR_MS / 12],
      ['1 h', HOUR_MS],
      ['24 h', 24 * HOUR_MS],
    ] as const;
    const results: BenchResult[] = [
      { name: 'people: migration of a full warehouse', value: migrateMs, unit: 'ms' },
    ];
    for (const [name, ms] of ranges) {
      for (const [whom, merchant] of [
        ['all', undefined],
        ['one merchant', 7],
      ] as const) {
        const value = await median(() => warehouse.people(to - ms, to, merchant));
        results.push({
          name: `people: ${name}, ${whom}`,
          value,
          unit: 'ms',
          target: `<= ${3 * TARGET_MS} ms`,
        });
      }
      const views = await median(() => warehouse.productViews(to - ms, to, 500));
      results.push({
        name: `people: product views, ${name}`,
        value: views,
        unit: 'ms',
        target: `<= ${TARGET_MS} ms`,
      });
    }
    await warehouse.close();
    return results;
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) console.table(await bench());
