import type pg from 'pg';
import { FEED_COLUMNS, type ShopDatabase } from './changes.ts';

/** A change table that triggers fill, the cuts of its polls, and what was visible when it began. */
const TABLES = `
  CREATE TABLE IF NOT EXISTS instashop_change (
    seq bigserial PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    table_name text NOT NULL,
    kind text NOT NULL,
    row_before jsonb,
    row_after jsonb
  );
  CREATE INDEX IF NOT EXISTS instashop_change_xid ON instashop_change (xid);
  CREATE TABLE IF NOT EXISTS instashop_cut (cut bigint PRIMARY KEY);
  CREATE TABLE IF NOT EXISTS instashop_begin (snapshot pg_snapshot NOT NULL);
  CREATE OR REPLACE FUNCTION instashop_note() RETURNS trigger LANGUAGE plpgsql
  SET timezone = 'UTC' AS $$
  BEGIN
    INSERT INTO instashop_change (table_name, kind, row_before, row_after)
    VALUES (TG_TABLE_NAME, lower(TG_OP),
            CASE WHEN TG_OP IN ('UPDATE', 'DELETE') THEN to_jsonb(OLD) END,
            CASE WHEN TG_OP IN ('INSERT', 'UPDATE') THEN to_jsonb(NEW) END);
    RETURN NULL;
  END $$;
`;

/** Makes what is missing of the change table and its triggers. */
export async function ensureChangeTable(client: pg.ClientBase, database: ShopDatabase): Promise<void> {
  await client.query(`SET client_min_messages = warning; ${TABLES}`);
  for (const table of Object.keys(FEED_COLUMNS[database])) {
    const { rowCount } = await client.query(
      "SELECT 1 FROM pg_trigger WHERE tgname = 'instashop_row' AND tgrelid = $1::regclass",
      [table],
    );
    if (rowCount) continue;
    await client.query(
      `CREATE TRIGGER instashop_row AFTER INSERT OR UPDATE OR DELETE ON ${table}
         FOR EACH ROW EXECUTE FUNCTION instashop_note();
       CREATE TRIGGER instashop_truncate AFTER TRUNCATE ON ${table}
         FOR EACH STATEMENT EXECUTE FUNCTION instashop_note()`,
    );
  }
}

/** Removes all of it. */
export async function dropChangeTable(client: pg.ClientBase, database: ShopDatabase): Promise<void> {
  await client.query('SET client_min_messages = warning');
  for (const table of Object.keys(FEED_COLUMNS[database])) {
    await client.query(
      `DROP TRIGGER IF EXISTS instashop_row ON ${table}; DROP TRIGGER IF EXISTS instashop_truncate ON ${table}`,
    );
  }
  await client.query(
    `DROP FUNCTION IF EXISTS instashop_note; DROP TABLE IF EXISTS instashop_change, instashop_cut, instashop_begin`,
  );
}
