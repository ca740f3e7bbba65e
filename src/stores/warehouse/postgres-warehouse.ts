import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { createDays, DAY_MS, dayOf, dropDays, hasOwnPartition } from './days.ts';
import { loadBatch } from './load.ts';
import { migrate } from './migrate.ts';
import { people, productViews } from './people.ts';
import { accounting, activity, history, latestSales, totals } from './queries.ts';
import type { LoadRecord, Warehouse } from './warehouse.ts';

export interface PostgresWarehouseOptions {
  /** postgres://user:password@host:port/database */
  readonly url: string;
  /** What day it is: decides which days have a partition, and which are past the retention. */
  readonly clock: Clock;
  readonly retentionDays?: number;
}

/** A loader that is frozen in the middle of a load holds its partitions' rows for so long. */
const IDLE_MS_MAX = 10_000;

/** The warehouse in PostgreSQL ≥ 14. Connections are opened on first use. */
export function postgresWarehouse({ url, clock, retentionDays = 400 }: PostgresWarehouseOptions): Warehouse {
  const pool = new pg.Pool({
    connectionString: url,
    max: 4,
    application_name: 'instashop-warehouse',
    options: '-c timezone=UTC',
    idle_in_transaction_session_timeout: IDLE_MS_MAX,
  });
  // A connection that dies while idle is replaced by the pool; one in use rejects its next query.
  pool.on('error', () => {});
  pool.on('connect', (client) => client.on('error', () => {}));
  const withClient = async <T>(action: (client: pg.PoolClient) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    let failed = true;
    try {
      const result = await action(client);
      failed = false;
      return result;
    } finally {
      // After a fault the session may be half way through anything: a new one costs little.
      client.release(failed);
    }
  };

  const knownDays = new Set<number>();
  const prepareDays = async (client: pg.ClientBase, records: readonly LoadRecord[]) => {
    const missing = new Set<number>();
    for (const { event } of records) {
      const day = dayOf(event.event_time);
      if (!knownDays.has(day) && hasOwnPartition(day, clock.now(), retentionDays)) missing.add(day);
    }
    if (missing.size === 0) return;
    await createDays(client, [...missing].sort());
    for (const day of missing) knownDays.add(day);
  };

  return {
    migrate: () => withClient(migrate),
    offsets: async () => {
      const { rows } = await pool.query<{ key: string; topic_id: string; next_offset: string }>(
        `SELECT topic || '/' || partition AS key, topic_id, next_offset FROM loaded_offsets`,
      );
      return new Map(
        rows.map((row) => [row.key, { topicId: row.topic_id, nextOffset: Number(row.next_offset) }]),
      );
    },
    load: (records, offsets, refuse) =>
      withClient(async (client) => {
        await prepareDays(client, records);
        return await loadBatch(client, records, offsets, refuse);
      }),
    prune: () =>
      withClient(async (client) => {
        const dropped = await dropDays(client, dayOf(clock.now()) - retentionDays * DAY_MS);
        for (const day of dropped) knownDays.delete(day);
        return dropped.length;
      }),
    history: (fromMs, toMs, customerId) => history(pool, fromMs, toMs, customerId),
    activity: (fromMs, toMs) => activity(pool, fromMs, toMs),
    totals: () => totals(pool),
    people: (fromMs, toMs, customerId) => withClient((client) => people(client, fromMs, toMs, customerId)),
    productViews: (fromMs, toMs, max, customerId) =>
      withClient((client) => productViews(client, fromMs, toMs, max, customerId)),
    latestSales: (max, customerId) => latestSales(pool, max, customerId),
    accounting: () => accounting(pool),
    close: () => pool.end(),
  };
}
