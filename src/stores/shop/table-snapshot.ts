import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { FEED_COLUMNS, type Row, type ShopDatabase, type ShopSnapshot } from './changes.ts';

const FETCH_ROWS = 5_000;

/** Columns come as PostgreSQL writes them, with times in UTC: the same text as in the change feed. */
export const textTypes = { getTypeParser: () => (value: string) => value } as unknown as pg.CustomTypesConfig;
export const TEXT_OPTIONS = '-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3';

/** Those of the wanted columns that the table has. */
export async function presentColumns(
  client: pg.ClientBase | pg.Pool,
  table: string,
  wanted: readonly string[],
): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    'SELECT attname AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped',
    [table],
  );
  const present = new Set(rows.map(({ name }) => name));
  return wanted.filter((column) => present.has(column));
}

export interface TableSnapshotOptions {
  readonly url: string;
  readonly database: ShopDatabase;
  readonly clock: Clock;
  /** Place in the feed that the snapshot is the state of, and what to acknowledge for it. */
  readonly commit: bigint;
  readonly ackTo: bigint;
  /** Name of an exported snapshot. */
  readonly snapshot: string;
}

/** Reads the feed's tables in one repeatable-read transaction of its own connection. */
export async function tableSnapshot(options: TableSnapshotOptions): Promise<ShopSnapshot> {
  const { url, database, clock, commit, ackTo, snapshot } = options;
  const client = new pg.Client({
    connectionString: url,
    application_name: 'instashop snapshot',
    types: textTypes,
    options: TEXT_OPTIONS,
  });
  client.on('error', () => {});
  await client.connect();
  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
  await client.query(`SET TRANSACTION SNAPSHOT '${snapshot}'`);
  return { commit, ackTo, takenAt: clock.now(), rows, close: () => client.end() };

  async function* rows(table: string): AsyncIterable<readonly Row[]> {
    const wanted: readonly string[] = (FEED_COLUMNS[database] as Record<string, readonly string[]>)[table]!;
    const columns = await presentColumns(client, table, wanted);
    const order = table === 'transactiondetail' ? 'transaction_id, transaction_detail_id' : columns[0];
    await client.query(
      `DECLARE ${table}_rows CURSOR FOR SELECT ${columns.join(', ')} FROM ${table} ORDER BY ${order}`,
    );
    for (;;) {
      const { rows } = await client.query<Row>(`FETCH ${FETCH_ROWS} FROM ${table}_rows`);
      if (rows.length > 0) yield rows;
      if (rows.length < FETCH_ROWS) return;
    }
  }
}
