import pg from 'pg';
import type { ShopDatabase } from './changes.ts';
import { findSlot, inUse, PUBLICATION, slotName } from './logical-feed.ts';
import { dropChangeTable } from './polling-schema.ts';

/** Removes what capture made in the database, in either mode: slot, publication, change table and triggers. */
export async function dropFeed(url: string, database: ShopDatabase): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const found = await findSlot(client, slotName(database));
    if (found?.active) throw inUse(slotName(database));
    if (found) await client.query('SELECT pg_drop_replication_slot($1)', [slotName(database)]);
    await client.query(`SET client_min_messages = warning; DROP PUBLICATION IF EXISTS ${PUBLICATION}`);
    await dropChangeTable(client, database);
  } finally {
    await client.end();
  }
}
