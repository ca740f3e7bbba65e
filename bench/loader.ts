// Loader: records in the log to committed rows, next to PostgreSQL's own COPY of the same rows into the same table.
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { ShopEvent } from '../src/contracts/events/events.ts';
import { CART_EXAMPLE, SEARCH_EXAMPLE, USER_BEHAVIOR_EXAMPLE } from '../src/contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE } from '../src/contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../src/contracts/events/transaction-item.ts';
import { PARTITIONS, TOPICS } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { eventId } from '../src/lib/ids.ts';
import { silentLog } from '../src/lib/log.ts';
import { partitionOf } from '../src/lib/partition.ts';
import { ensureDatabase, startPostgres } from '../src/services/postgres/postgres.ts';
import { loader } from '../src/stages/loader/loader.ts';
import type { Broker, OutgoingRecord } from '../src/stores/broker/broker.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import { postgresWarehouse } from '../src/stores/warehouse/postgres-warehouse.ts';
import type { BenchResult } from './result.ts';

const EVENTS = 60_000;
const MERCHANTS = 50;

/** Rows/s of the loader and of COPY, and what of the event loop and CPU the loader takes. */
export async function bench(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const postgres = await startPostgres({ dataDir: join(folder, 'postgres'), port: 0, log: silentLog });
  const broker = sqliteBroker({ dir: join(folder, 'log'), clock: systemClock, log: silentLog });
  try {
    await ensureDatabase(postgres.url('postgres'), 'dwh_db');
    const url = postgres.url('dwh_db');
    await fill(broker);
    const loaded = await load(broker, url);
    const copyMs = await copy(url, folder);
    const perSecond = (ms: number) => Math.round((EVENTS / ms) * 1000);
    return [
      {
        name: 'loader: log to committed rows and rollups',
        value: perSecond(loaded.ms),
        unit: 'rows/s',
        peer: 'COPY of the same rows into the same table',
        peerValue: perSecond(copyMs),
        ratio: copyMs / loaded.ms,
        target: '>= 0.25 of COPY, >= 30,000 rows/s',
      },
      { name: 'loader: CPU of its process', value: loaded.cpuUs / EVENTS, unit: 'µs/row' },
      {
        name: 'loader: longest wait of the event loop',
        value: loaded.stallMs,
        unit: 'ms',
        target: '<= 10 ms',
      },
    ];
  } finally {
    await broker.close();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One sale, two items and an interaction in turn, dated over the last minute. */
async function fill(broker: Broker): Promise<void> {
  await broker.createTopics(Object.values(TOPICS));
  const now = systemClock.now();
  for (let first = 0; first < EVENTS; first += 5_000) {
    await broker.append(
      Array.from({ length: 5_000 }, (_, n) => record(first + n, now - ((first + n) % 60_000))),
    );
  }
}

function record(n: number, time: number): OutgoingRecord {
  const sale = n >> 2;
  const common = {
    event_id: eventId(`bench/${n}`),
    event_time: time,
    timestamp: new Date(time).toISOString(),
    customer_id: sale % MERCHANTS,
    session_id: `s-${sale}`,
  };
  const [topic, event] = eventOf(n, sale, common);
  const partition = partitionOf(String(sale), PARTITIONS);
  return { topic, partition, key: String(sale), value: Buffer.from(JSON.stringify(event)), headers: {} };
}

function eventOf(n: number, sale: number, common: Partial<ShopEvent>): readonly [string, object] {
  const interactions = [
    [TOPICS.userBehavior.name, USER_BEHAVIOR_EXAMPLE],
    [TOPICS.searches.name, SEARCH_EXAMPLE],
    [TOPICS.cartEvents.name, CART_EXAMPLE],
  ] as const;
  if (n % 4 === 0)
    return [TOPICS.transactions.name, { ...TRANSACTION_EXAMPLE, ...common, transaction_id: sale }];
  if (n % 4 === 3) {
    const [topic, example] = interactions[sale % 3]!;
    return [topic, { ...example, ...common, interaction_id: n }];
  }
  const ids = { transaction_id: sale, transaction_detail_id: n };
  return [TOPICS.transactionItems.name, { ...TRANSACTION_ITEM_EXAMPLE, ...common, ...ids }];
}

async function load(broker: Broker, url: string) {
  const warehouse = postgresWarehouse({ url, clock: systemClock });
  await warehouse.migrate();
  await query(url, 'CHECKPOINT');
  const stage = loader({ broker, warehouse, clock: systemClock, log: silentLog });
  const stop = new AbortController();
  const cpu = process.cpuUsage();
  const start = performance.now();
  const run = stage.run(stop.signal);
  let stallMs = 0;
  let before = start;
  while (stage.health().processed < EVENTS) {
    await Promise.race([run, systemClock.sleep(1)]);
    stallMs = Math.max(stallMs, performance.now() - before);
    before = performance.now();
  }
  const ms = before - start;
  const used = process.cpuUsage(cpu);
  stop.abort();
  await run;
  const { events } = await warehouse.totals();
  if (events !== EVENTS) throw new Error(`${events} of ${EVENTS} events are in the warehouse`);
  await warehouse.close();
  return { ms, stallMs, cpuUs: used.user + used.system };
}

/** The server reads the rows from its own file into a new table of the same columns, indexes and partitions. */
async function copy(url: string, folder: string): Promise<number> {
  const file = join(folder, 'rows.tsv');
  chmodSync(folder, 0o777);
  const day = `FROM ('-infinity') TO ('infinity')`;
  await query(url, `COPY (SELECT * FROM realtime_events) TO '${file}'`);
  await query(
    url,
    `CREATE TABLE copied (LIKE realtime_events INCLUDING ALL) PARTITION BY RANGE ("timestamp");
     CREATE TABLE copied_day PARTITION OF copied FOR VALUES ${day}`,
  );
  await query(url, 'CHECKPOINT');
  const start = performance.now();
  await query(url, `COPY copied FROM '${file}'`);
  return performance.now() - start;
}

async function query(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

if (import.meta.main) console.table(await bench());
