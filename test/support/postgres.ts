import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { silentLog } from '../../src/lib/log.ts';
import { ensureDatabase, type PostgresServer, startPostgres } from '../../src/services/postgres/postgres.ts';

export interface TestPostgres {
  readonly server: PostgresServer;
  /** URL of a new, empty database. */
  database(): Promise<string>;
  /** Runs SQL on a connection of its own. */
  sql<R extends pg.QueryResultRow>(url: string, text: string): Promise<R[]>;
  stop(): Promise<void>;
}

/** A PostgreSQL of its own for a test file, on a free port; `stop` removes its data. */
export async function testPostgres(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-pg-'));
  const server = await startPostgres({ dataDir: folder, port: 0, settings, log: silentLog });
  let made = 0;
  return {
    server,
    database: async () => {
      const name = `test_${++made}`;
      await ensureDatabase(server.url('postgres'), name);
      return server.url(name);
    },
    sql: async <R extends pg.QueryResultRow>(url: string, text: string) => {
      const client = new pg.Client({ connectionString: url });
      await client.connect();
      try {
        return (await client.query<R>(text)).rows;
      } finally {
        await client.end();
      }
    },
    stop: async () => {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
