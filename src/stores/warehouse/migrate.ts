import { readdir, readFile } from 'node:fs/promises';
import type pg from 'pg';
import { UserError } from '../../lib/errors.ts';

const FOLDER = new URL('./migrations/', import.meta.url);
/** Advisory lock that lets one process at a time change the schema (also when it adds or drops days). */
export const SCHEMA_LOCK = 0x1257a5;

/**
 * Applies the SQL files that were not applied yet, by name, all in one transaction under an advisory lock. A database
 * that holds the original's table, not made by us, rejects with a UserError.
 */
export async function migrate(client: pg.ClientBase): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    await client.query(
      `CREATE TABLE IF NOT EXISTS schema_migrations (
         name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const { rows } = await client.query<{ name: string }>('SELECT name FROM schema_migrations');
    const applied = new Set(rows.map(({ name }) => name));
    if (applied.size === 0) await refuseForeignTables(client);
    const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.sql')).sort();
    for (const name of files.filter((file) => !applied.has(file))) {
      await client.query(await readFile(new URL(name, FOLDER), 'utf8'));
      await client.query('INSERT INTO schema_migrations (name) VALUES ($1)', [name]);
    }
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

async function refuseForeignTables(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ found: string | null }>(
    `SELECT coalesce(to_regclass('realtime_events'), to_regclass('customer_sessions'))::text AS found`,
  );
  const found = rows[0]?.found;
  if (found) {
    throw new UserError(
      `the warehouse database already has a table ${found} that this pipeline did not make`,
      `Rename it (ALTER TABLE ${found} RENAME TO ${found}_old), or name another database with --dwh-url.`,
    );
  }
}
