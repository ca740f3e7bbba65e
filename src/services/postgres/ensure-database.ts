import pg from 'pg';
import { UserError } from '../../lib/errors.ts';

/**
 * Creates the database `name` on the server of `adminUrl` (a URL of any database there) unless it exists. Rejects
 * with a UserError when that user may not create databases.
 */
export async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const client = new pg.Client({ connectionString: adminUrl, application_name: 'instashop setup' });
  await client.connect();
  try {
    const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rowCount === 0) await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)}`);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === '42P04' || code === '23505') return;
    if (code !== '42501') throw error;
    throw new UserError(
      `the user of this connection may not create the database ${name}`,
      `Create it as an administrator: CREATE DATABASE ${client.escapeIdentifier(name)};`,
    );
  } finally {
    await client.end();
  }
}
