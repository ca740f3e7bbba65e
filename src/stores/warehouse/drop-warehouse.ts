import pg from 'pg';

const VIEWS = ['ledger_entries'];
const TABLES = [
  'realtime_events',
  'loaded_offsets',
  'sales_hourly',
  'events_hourly',
  'event_customers',
  'customer_sessions',
  'schema_migrations',
];

/** Removes what the migrations made, in one transaction; a database without our migrations is left alone. */
export async function dropWarehouse(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'instashop setup' });
  await client.connect();
  try {
    const { rows } = await client.query<{ made: boolean }>(
      "SELECT to_regclass('schema_migrations') IS NOT NULL AND to_regclass('loaded_offsets') IS NOT NULL AS made",
    );
    if (!rows[0]!.made) return;
    await client.query(
      `SET client_min_messages = warning;
       BEGIN; DROP VIEW IF EXISTS ${VIEWS.join(', ')}; DROP TABLE IF EXISTS ${TABLES.join(', ')}; COMMIT`,
    );
  } finally {
    await client.end();
  }
}
