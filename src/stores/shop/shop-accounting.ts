// What a live shop adds up to at one exact place of its change feed: the first side of the accounting.
import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { ShopDatabase } from './changes.ts';
import { slotName } from './logical-feed.ts';
import type { CaptureMode } from './preflight.ts';
import { lsnOf, lsnText, ReplicationConnection } from './replication-connection.ts';
import { ITEMS, SALES, VISITS } from './shop-accounting-sql.ts';
import { TEXT_OPTIONS, textTypes } from './table-snapshot.ts';

export interface ShopSum {
  /** `day|currency|status`, of visits `day|interaction type`. */
  readonly key: string;
  readonly rows: number;
  readonly minor: number;
  /** Sum of lib/digest.ts over the rows. */
  readonly digest: bigint;
}

export interface ShopSums {
  readonly sums: readonly ShopSum[];
  /** Rows that no event can hold: they are dead letters. */
  readonly refused: number;
}

export type ShopTable = 'sales' | 'items' | 'visits';

export interface ShopCut {
  /** What is visible is what was committed before this place; null (polling): the place cannot be named. */
  readonly commit: bigint | null;
  /** Whether the log has everything that is visible here. stopped: nobody reads the feed. */
  reached(): Promise<'reached' | 'behind' | 'stopped'>;
  /** Sums of a table as of the cut, without the rows (of sales: by sale) of these ids. */
  sums(table: ShopTable, leftOut: readonly number[]): Promise<ShopSums>;
  close(): Promise<void>;
}

export interface ShopAccountingOptions {
  readonly url: string;
  readonly database: ShopDatabase;
  readonly mode: CaptureMode;
  /** Of rows that name no currency. */
  readonly mainCurrency: string;
  readonly clock: Clock;
}

const TABLES: Readonly<Record<ShopTable, string>> = { sales: SALES, items: ITEMS, visits: VISITS };
/** Making a slot waits for the transactions that are open now. */
const OPEN_TRANSACTIONS_WAIT = '20s';

/**
 * Opens a cut and holds the shop's state as of it until `close`. Logical: a temporary slot gives a snapshot and the
 * place in the log that it belongs to, exactly, under any load; it is gone again when this resolves. A transaction
 * that stays open for 20 s rejects with a UserError.
 */
export async function shopCut(options: ShopAccountingOptions): Promise<ShopCut> {
  const { url, database, mode, mainCurrency } = options;
  const connect = async (name: string): Promise<pg.Client> => {
    const client = new pg.Client({
      connectionString: url,
      application_name: `instashop ${name}`,
      types: textTypes,
      options: TEXT_OPTIONS,
    });
    client.on('error', () => {});
    await client.connect();
    return client;
  };
  const client = await connect('accounting');
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const commit = mode === 'logical' ? await adoptSnapshot(options, client) : null;
    const control = await connect('accounting control');
    const snapshot = commit === null ? await snapshotText(client) : '';
    return {
      commit,
      reached: () =>
        commit === null ? pollingReached(control, snapshot) : logicalReached(control, database, commit),
      async sums(table, leftOut) {
        const { rows } = await client.query<Record<string, string>>(TABLES[table], [mainCurrency, leftOut]);
        const good = rows.filter((row) => row['ok'] === 't');
        const bad = rows.filter((row) => row['ok'] !== 't');
        return {
          sums: good.map((row) => ({
            key: row['key']!,
            rows: Number(row['rows']),
            minor: Number(row['minor']),
            digest: BigInt(row['digest']!),
          })),
          refused: bad.reduce((sum, row) => sum + Number(row['rows']), 0),
        };
      },
      close: async () => {
        await Promise.all([client.end(), control.end()]);
      },
    };
  } catch (error) {
    await client.end();
    throw error;
  }
}

/** Gives the client's transaction the snapshot of a new temporary slot; resolves with the slot's consistent point. */
async function adoptSnapshot(
  { url, database, clock }: ShopAccountingOptions,
  client: pg.Client,
): Promise<bigint> {
  const connection = new ReplicationConnection(url, clock);
  try {
    await connection.connect();
    const [backend] = await connection.query('SELECT pg_backend_pid() AS pid');
    await connection.query(`SET lock_timeout = '${OPEN_TRANSACTIONS_WAIT}'`);
    const [created] = await connection.query(
      `CREATE_REPLICATION_SLOT "instashop_verify_${backend!['pid']}" TEMPORARY LOGICAL pgoutput EXPORT_SNAPSHOT`,
    );
    await client.query(`SET TRANSACTION SNAPSHOT '${created!['snapshot_name']}'`);
    return lsnOf(created!['consistent_point']!);
  } catch (error) {
    if ((error as { code?: string }).code !== '55P03') throw error;
    throw new UserError(
      `a transaction in ${database} stays open: no exact cut can be made`,
      'End long transactions (pg_stat_activity), then verify again.',
    );
  } finally {
    // The snapshot is the client's by now; the slot goes with its connection.
    connection.close();
  }
}

async function snapshotText(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ snapshot: string }>('SELECT pg_current_snapshot()::text AS snapshot');
  return rows[0]!.snapshot;
}

type Reached = Awaited<ReturnType<ShopCut['reached']>>;

async function logicalReached(control: pg.Client, database: ShopDatabase, commit: bigint): Promise<Reached> {
  const { rows } = await control.query<{ reached: string; active: string }>(
    'SELECT confirmed_flush_lsn >= $2::pg_lsn AS reached, active FROM pg_replication_slots WHERE slot_name = $1',
    [slotName(database), lsnText(commit)],
  );
  if (rows[0]?.reached === 't') return 'reached';
  return rows[0]?.active === 't' ? 'behind' : 'stopped';
}

async function pollingReached(control: pg.Client, snapshot: string): Promise<Reached> {
  const { rows } = await control.query<{ waiting: string }>(
    `SELECT EXISTS (SELECT FROM instashop_change WHERE pg_visible_in_snapshot(xid, $1::pg_snapshot)
              AND NOT pg_visible_in_snapshot(xid, (SELECT snapshot FROM instashop_begin))) AS waiting`,
    [snapshot],
  );
  return rows[0]!.waiting === 't' ? 'behind' : 'reached';
}
