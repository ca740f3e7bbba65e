// The partitions of realtime_events: one a UTC day.
import type pg from 'pg';
import { SCHEMA_LOCK } from './migrate.ts';

export const DAY_MS = 86_400_000;
/** Days further ahead than this stay in the default partition. */
const AHEAD_DAYS = 2;

/** Start of the UTC day, epoch ms. */
export const dayOf = (timeMs: number): number => Math.floor(timeMs / DAY_MS) * DAY_MS;
const isoDay = (dayMs: number): string => new Date(dayMs).toISOString().slice(0, 10);
const tableOf = (dayMs: number): string => `realtime_events_${isoDay(dayMs).replaceAll('-', '')}`;

/** Whether a day gets a partition of its own, as of now. */
export const hasOwnPartition = (dayMs: number, nowMs: number, retentionDays: number): boolean =>
  dayMs >= dayOf(nowMs) - retentionDays * DAY_MS && dayMs <= dayOf(nowMs) + AHEAD_DAYS * DAY_MS;

async function inSchemaTransaction<T>(client: pg.ClientBase, action: () => Promise<T>): Promise<T> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    const result = await action();
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

/** Makes the partitions of these days where they are missing; rows that waited in the default one move over. */
export const createDays = (client: pg.ClientBase, days: readonly number[]): Promise<void> =>
  inSchemaTransaction(client, async () => {
    const existing = new Set(await listDays(client));
    for (const day of days.filter((each) => !existing.has(each))) {
      const table = tableOf(day);
      const from = `'${isoDay(day)}T00:00:00Z'`;
      const to = `'${isoDay(day + DAY_MS)}T00:00:00Z'`;
      await client.query(`
        CREATE TABLE ${table} (LIKE realtime_events INCLUDING ALL);
        WITH moved AS (
          DELETE FROM realtime_events_other WHERE "timestamp" >= ${from} AND "timestamp" < ${to} RETURNING *
        ) INSERT INTO ${table} SELECT * FROM moved;
        ALTER TABLE realtime_events ATTACH PARTITION ${table} FOR VALUES FROM (${from}) TO (${to});`);
    }
  });

/**
 * Drops the days before `beforeMs` and their rollups and sessions. Rows of the default partition stay: they came too
 * early or too late for a day of their own, and nothing else has them.
 */
export const dropDays = (client: pg.ClientBase, beforeMs: number): Promise<readonly number[]> =>
  inSchemaTransaction(client, async () => {
    const days = (await listDays(client)).filter((day) => day + DAY_MS <= beforeMs);
    for (const day of days) {
      const bounds = [new Date(day), new Date(day + DAY_MS)];
      await client.query(`DROP TABLE ${tableOf(day)}`);
      await client.query('DELETE FROM sales_hourly WHERE hour >= $1 AND hour < $2', bounds);
      await client.query('DELETE FROM events_hourly WHERE hour >= $1 AND hour < $2', bounds);
      await client.query(
        'DELETE FROM customer_sessions WHERE "timestamp" >= $1 AND "timestamp" < $2',
        bounds,
      );
    }
    return days;
  });

/** Days that have a partition. */
async function listDays(client: pg.ClientBase): Promise<number[]> {
  const { rows } = await client.query<{ table: string }>(
    `SELECT relname AS table FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
     WHERE inhparent = 'realtime_events'::regclass AND relname ~ '^realtime_events_[0-9]{8}$'`,
  );
  return rows.map(({ table }) => Date.parse(table.slice(-8).replace(/(....)(..)(..)/, '$1-$2-$3T00:00:00Z')));
}
