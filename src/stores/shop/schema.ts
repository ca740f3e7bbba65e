import { readFileSync } from 'node:fs';
import pg from 'pg';
import { UserError } from '../../lib/errors.ts';

type Addition = readonly [table: string, column: string, type: string];

/** Columns the original has not: it made up this data and threw it away. */
const SHOP_ADDITIONS: readonly Addition[] = [
  ['transaction', 'currency', "char(3) NOT NULL DEFAULT 'USD'"],
  ['transaction', 'session_id', 'text'],
  ['transaction', 'status_changed_at', 'timestamptz'],
];
const CRM_ADDITIONS: readonly Addition[] = [
  ['interaction', 'buyer_id', 'bigint'],
  ['interaction', 'session_id', 'text'],
  ['interaction', 'product_id', 'bigint'],
  ['interaction', 'search_query', 'text'],
  ['interaction', 'results_count', 'int'],
  ['interaction', 'cart_step', 'text'],
  ['interaction', 'cart_items', 'jsonb'],
  ['interaction', 'cart_total', 'numeric(12,2)'],
  ['interaction', 'currency', 'char(3)'],
];

/** Any number, the same in every process: one at a time changes the schema. */
const SCHEMA_LOCK = 7_301_955;

/**
 * Creates the tables and columns that are missing in instashop and crm_db, and makes updates and deletes of sales,
 * their items and interactions carry the whole old row (REPLICA IDENTITY FULL). What is there is never altered
 * otherwise, and where nothing is missing no table is locked. Rejects with a UserError when a right is missing.
 */
export async function ensureShopSchema(shopUrl: string, crmUrl: string): Promise<void> {
  await ensure(shopUrl, 'instashop.sql', SHOP_ADDITIONS, ['transaction', 'transactiondetail']);
  await ensure(crmUrl, 'crm.sql', CRM_ADDITIONS, ['interaction']);
}

async function ensure(
  url: string,
  file: string,
  additions: readonly Addition[],
  full: readonly string[],
): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'instashop setup' });
  await client.connect();
  try {
    await client.query('BEGIN');
    // A busy shop is not made to wait behind our lock request.
    await client.query("SET LOCAL lock_timeout = '5s'; SET LOCAL client_min_messages = warning");
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    await createTables(client, readFileSync(new URL(`sql/${file}`, import.meta.url), 'utf8'));
    for (const [table, column, type] of additions) {
      if (await isMissing(client, table, column)) {
        await client.query(`ALTER TABLE ${table} ADD COLUMN IF NOT EXISTS ${column} ${type}`);
      }
    }
    const { rows } = await client.query<{ oid: string }>(
      "SELECT oid::regclass::text AS oid FROM pg_class WHERE oid = ANY($1::regclass[]) AND relreplident <> 'f'",
      [full],
    );
    for (const { oid } of rows) await client.query(`ALTER TABLE ${oid} REPLICA IDENTITY FULL`);
    await client.query('COMMIT');
  } catch (error) {
    throw explained(error, client.database ?? url);
  } finally {
    await client.end();
  }
}

/** Table by table, only those that are missing: even IF NOT EXISTS asks for the right to create. */
async function createTables(client: pg.Client, sql: string): Promise<void> {
  for (const statement of sql.split(/;\s*$/m)) {
    const name = /CREATE (?:TABLE|INDEX) IF NOT EXISTS (\w+)/.exec(statement)?.[1];
    if (name === undefined) continue;
    const { rows } = await client.query('SELECT to_regclass($1) IS NULL AS missing', [name]);
    if (rows[0].missing) await client.query(statement);
  }
}

async function isMissing(client: pg.Client, table: string, column: string): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT 1 FROM pg_attribute WHERE attrelid = $1::regclass AND attname = $2 AND NOT attisdropped',
    [table, column],
  );
  return rowCount === 0;
}

function explained(error: unknown, database: string): unknown {
  const { code, message } = error as { code?: string; message: string };
  if (code === '42501') {
    return new UserError(
      `the tables of ${database} cannot be completed: ${message}`,
      'Let the owner of the tables run this once, or grant this user their ownership.',
    );
  }
  if (code === '55P03') {
    return new UserError(
      `the tables of ${database} are in use and could not be completed within 5 s`,
      'End long transactions on them (pg_stat_activity), then start again.',
    );
  }
  return error;
}
