import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type ChangeFeed, FEED_COLUMNS, type FeedMemory, type ShopDatabase } from './changes.ts';
import { FeedOwnership } from './feed-ownership.ts';
import { LogicalStream } from './logical-stream.ts';
import { lsnOf, lsnText, ReplicationConnection } from './replication-connection.ts';
import { tableSnapshot } from './table-snapshot.ts';

export const PUBLICATION = 'instashop_live';
export const slotName = (database: ShopDatabase): string => `instashop_live_${database}`;

export interface LogicalFeedOptions {
  readonly url: string;
  readonly database: ShopDatabase;
  readonly clock: Clock;
  readonly log: Log;
  /** How long changes are collected before they are delivered together, while little comes. */
  readonly lingerMs?: number;
}

/** A frozen owner loses its slot about when it loses its lock. */
const SLOT_WAIT_MS_MAX = 8_000;
const SLOT_LOOK_MS = 100;

interface Slot {
  readonly active: boolean;
  readonly wal_status: string;
  readonly confirmed: string | null;
  /** Where the server's log ends now. */
  readonly wal_end: string;
}

/**
 * The feed by logical decoding: one permanent slot and one publication per database. The slot makes sure that one
 * capture at a time reads, and keeps what was not acknowledged.
 */
export function logicalFeed({ url, database, clock, log, lingerMs = 10 }: LogicalFeedOptions): ChangeFeed {
  const control = new pg.Pool({
    connectionString: url,
    max: 1,
    application_name: 'instashop capture control',
    query_timeout: 10_000,
  });
  control.on('error', () => {});
  const slot = slotName(database);
  let stream: LogicalStream | null = null;
  const ownership = new FeedOwnership({ url, database, clock });

  return {
    database,
    acquire: (signal, waiting) => ownership.acquire(signal, waiting),
    release: () => ownership.release(),
    async open(memory) {
      await ensurePublication(control, database, memory === null);
      const found = await findSlot(control, slot);
      if (memory !== null) {
        verifySlot(slot, found, memory);
        return null;
      }
      await slotIsFree(control, slot, clock);
      if (found) await control.query('SELECT pg_drop_replication_slot($1)', [slot]);
      const connection = new ReplicationConnection(url, clock);
      try {
        await connection.connect();
        const sql = `CREATE_REPLICATION_SLOT "${slot}" LOGICAL pgoutput EXPORT_SNAPSHOT`;
        const [created] = await connection.query(sql);
        const ackTo = lsnOf(created!['consistent_point']!);
        log.info('replication slot made', { slot, at: created!['consistent_point'] });
        // A commit record may begin at that very byte: the snapshot's own place is just before it.
        const place = { commit: ackTo - 1n, ackTo, snapshot: created!['snapshot_name']! };
        return await tableSnapshot({ url, database, clock, ...place });
      } finally {
        // The snapshot is ours by now; the slot outlives the connection.
        connection.close();
      }
    },
    async *read(signal) {
      const connection = new ReplicationConnection(url, clock);
      stream = new LogicalStream(connection, FEED_COLUMNS[database], clock, lingerMs);
      try {
        await slotIsFree(control, slot, clock);
        await connection.connect();
        await connection.start(slot, PUBLICATION, stream);
        yield* stream.batches(AbortSignal.any([signal, ownership.lost]));
        ownership.verify();
      } catch (error) {
        throw explained(error, slot);
      } finally {
        connection.close();
        stream = null;
      }
    },
    ack(ackTo) {
      stream?.ack(ackTo);
    },
    async lag(reached) {
      const { rows } = await control.query<{ behind: string; retained: string }>(
        `SELECT greatest(pg_wal_lsn_diff(pg_current_wal_lsn(), $2), 0) AS behind,
                pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) AS retained
           FROM pg_replication_slots WHERE slot_name = $1`,
        [slot, lsnText(reached)],
      );
      return { behind: Number(rows[0]?.behind ?? 0), retainedWalBytes: Number(rows[0]?.retained ?? 0) };
    },
    async close() {
      await ownership.release();
      await control.end();
    },
  };
}

/** Resolves when nobody reads the slot; rejects with a retryable error when somebody goes on reading it. */
async function slotIsFree(control: Queryable, slot: string, clock: Clock): Promise<void> {
  const until = clock.now() + SLOT_WAIT_MS_MAX;
  while ((await findSlot(control, slot))?.active) {
    if (clock.now() >= until) throw inUse(slot);
    await clock.sleep(SLOT_LOOK_MS);
  }
}

type Queryable = Pick<pg.Pool, 'query'>;

export async function findSlot(control: Queryable, slot: string): Promise<Slot | null> {
  const { rows } = await control.query<Slot>(
    `SELECT active, wal_status, confirmed_flush_lsn::text AS confirmed, pg_current_wal_lsn()::text AS wal_end
       FROM pg_replication_slots WHERE slot_name = $1`,
    [slot],
  );
  return rows[0] ?? null;
}

/** Makes the publication of a database, or completes it, with the rights of the tables' owner. */
export async function ensureLogicalPublication(url: string, database: ShopDatabase): Promise<void> {
  const control = new pg.Pool({ connectionString: url, max: 1, application_name: 'instashop setup' });
  control.on('error', () => {});
  try {
    await ensurePublication(control, database, true);
  } finally {
    await control.end();
  }
}

/** Makes the publication, or completes it where the caller is about to read the tables anyway. */
async function ensurePublication(
  control: Queryable,
  database: ShopDatabase,
  complete: boolean,
): Promise<void> {
  const { rows } = await control.query<{ whole: boolean; tables: string[] }>(
    `SELECT pubinsert AND pubupdate AND pubdelete AND pubtruncate AS whole,
            ARRAY(SELECT tablename::text FROM pg_publication_tables t WHERE t.pubname = p.pubname) AS tables
       FROM pg_publication p WHERE pubname = $1`,
    [PUBLICATION],
  );
  const tables = Object.keys(FEED_COLUMNS[database]);
  const missing = tables.filter((table) => !rows[0]?.tables.includes(table));
  if (rows[0]?.whole && missing.length === 0) return;
  if (rows[0] && !complete) {
    const what =
      missing.length > 0 ? `has no table ${missing.join(', ')} any more` : 'leaves out some changes';
    throw new UserError(`publication ${PUBLICATION} of ${database} ${what}`, START_OVER);
  }
  const sql = rows[0]
    ? `ALTER PUBLICATION ${PUBLICATION} SET TABLE ${tables.join(', ')};
       ALTER PUBLICATION ${PUBLICATION} SET (publish = 'insert, update, delete, truncate')`
    : `CREATE PUBLICATION ${PUBLICATION} FOR TABLE ${tables.join(', ')}`;
  try {
    await control.query(sql);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === '42501') {
      const remedy = `Let the owner of the tables run: ${sql}; or use --capture polling.`;
      throw new UserError(`no publication can be made in ${database}: ${message}`, remedy);
    }
    // Another process made it meanwhile.
    if (code !== '42710') throw error;
  }
}

const START_OVER =
  'What happened in between cannot be read from the log any more. Start once with --resnapshot: the tables are ' +
  'compared with what was published, and only the differences are published.';

function verifySlot(slot: string, found: Slot | null, memory: FeedMemory): void {
  if (found === null) throw new UserError(`replication slot ${slot} is gone`, START_OVER);
  if (found.wal_status === 'lost' || found.confirmed === null) {
    throw new UserError(
      `replication slot ${slot} was invalidated: the shop removed log we had not read`,
      START_OVER,
    );
  }
  if (lsnOf(found.wal_end) < memory.acknowledged) {
    throw new UserError(
      `the shop's log ends at ${found.wal_end}, before what we have read: the server was put back to an older state`,
      'Start over with `instashop reset`: positions in the log would not rise any more.',
    );
  }
  if (lsnOf(found.confirmed) > memory.acknowledged) {
    throw new UserError(
      `replication slot ${slot} is ahead of us (${found.confirmed}): someone else read from it`,
      `Let one data folder own the slot. ${START_OVER}`,
    );
  }
}

export const inUse = (slot: string): Error =>
  Object.assign(new Error(`replication slot ${slot} is in use by another capture`), { retryable: true });

function explained(error: unknown, slot: string): unknown {
  const { code, message } = error as { code?: string; message?: string };
  if (code === '55006') return inUse(slot);
  if (code === '42704') return new UserError(`the publication of ${slot} is gone: ${message}`, START_OVER);
  if (code === '55000' || code === '58P01') {
    return new UserError(`replication slot ${slot} cannot be read: ${message}`, START_OVER);
  }
  return error;
}
