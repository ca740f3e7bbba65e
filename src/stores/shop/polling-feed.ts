import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type {
  ChangeFeed,
  ChangeSet,
  FeedMemory,
  Row,
  RowChange,
  ShopDatabase,
  ShopSnapshot,
} from './changes.ts';
import { FeedOwnership } from './feed-ownership.ts';
import { ensureChangeTable } from './polling-schema.ts';
import { tableSnapshot } from './table-snapshot.ts';

/** A transaction is delivered in parts of so many rows, as in the logical feed. */
const PART_ROWS = 20_000;
const PART_CHARS = 8 << 20;
const FETCH_ROWS = 5_000;

export interface PollingFeedOptions {
  readonly url: string;
  readonly database: ShopDatabase;
  readonly clock: Clock;
  readonly log: Log;
  readonly intervalMs: number;
}

interface ChangeRow {
  readonly xid: string;
  readonly at: string;
  readonly table_name: string;
  readonly kind: RowChange['kind'];
  readonly row_before: string | null;
  readonly row_after: string | null;
}

/**
 * The feed for servers without logical decoding: triggers write every change into a table, which is polled up to a
 * cut, the oldest transaction that may still be open (pg_snapshot_xmin): nothing below a cut can appear later. The
 * cuts are kept in the shop until they are acknowledged, so that a repeated delivery is cut in the same way.
 */
export function pollingFeed(options: PollingFeedOptions): ChangeFeed {
  const { url, database, clock, log } = options;
  const control = new pg.Pool({
    connectionString: url,
    max: 1,
    application_name: 'instashop capture control',
    query_timeout: 10_000,
  });
  control.on('error', () => {});
  const ownership = new FeedOwnership({ url, database, clock });
  return {
    database,
    acquire: (signal, waiting) => ownership.acquire(signal, waiting),
    release: () => ownership.release(),
    async open(memory) {
      const client = await connected(url);
      try {
        await ensureChangeTable(client, database);
        if (memory === null) return await begin();
        await verifyCuts(client, database, memory);
        return null;
      } finally {
        await client.end();
      }
    },
    async *read(signal) {
      const client = await connected(url);
      try {
        const cuts = await client.query<{ cut: string }>('SELECT cut FROM instashop_cut ORDER BY cut');
        let [from, ...waiting] = cuts.rows.map(({ cut }) => BigInt(cut)) as [bigint, ...bigint[]];
        while (!signal.aborted) {
          const to = waiting.shift() ?? (await newCut(ownership, from));
          if (to === null) {
            await clock.sleep(options.intervalMs, signal);
            continue;
          }
          yield* changesBetween(client, from, to);
          from = to;
        }
      } finally {
        await client.end();
      }
    },
    ack(ackTo) {
      const sql = `DELETE FROM instashop_cut WHERE cut < ${ackTo};
                   DELETE FROM instashop_change WHERE xid < '${ackTo}'::xid8`;
      // What fails here is deleted with the next acknowledgement.
      control.query(sql).catch((error) => log.warn('could not clear the change table', { error }));
    },
    async lag(reached) {
      const { rows } = await control.query<{ behind: string }>(
        `SELECT count(*) AS behind FROM instashop_change
          WHERE xid >= $1::text::xid8
            AND NOT pg_visible_in_snapshot(xid, (SELECT snapshot FROM instashop_begin))`,
        [String(reached)],
      );
      return { behind: Number(rows[0]!.behind), retainedWalBytes: 0 };
    },
    async close() {
      await ownership.release();
      await control.end();
    },
  };

  async function begin(): Promise<ShopSnapshot> {
    await ownership.query(
      `BEGIN ISOLATION LEVEL REPEATABLE READ;
       DELETE FROM instashop_cut;
       DELETE FROM instashop_begin;
       INSERT INTO instashop_begin VALUES (pg_current_snapshot());
       INSERT INTO instashop_cut VALUES (pg_snapshot_xmin(pg_current_snapshot())::text::bigint)`,
    );
    const { rows } = await ownership.query<{ xmin: string; name: string }>(
      'SELECT cut AS xmin, pg_export_snapshot() AS name FROM instashop_cut',
    );
    const { xmin, name } = rows[0]!;
    const commit = BigInt(xmin);
    const snapshot = await tableSnapshot({ url, database, clock, commit, ackTo: commit, snapshot: name });
    await ownership.query('COMMIT');
    log.info('polling begins', { database, cut: xmin });
    return snapshot;
  }
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'instashop capture',
    keepAlive: true,
  });
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function verifyCuts(client: pg.ClientBase, database: ShopDatabase, memory: FeedMemory): Promise<void> {
  const { rows } = await client.query<{ cut: string | null }>('SELECT min(cut) AS cut FROM instashop_cut');
  const cut = rows[0]!.cut;
  if (cut !== null && BigInt(cut) <= memory.acknowledged) return;
  throw new UserError(
    cut === null
      ? `the change table of ${database} was made anew, or capture used another mode before`
      : `the change table of ${database} is ahead of us: someone else read from it`,
    'After a change of mode, start over with `instashop reset`. Else start once with --resnapshot: the tables are ' +
      'compared with what was published, and only the differences are published.',
  );
}

/**
 * A new cut, durable before anything below it is delivered, and made by the owner alone: the cuts of others would
 * divide what comes again in another way. null when no transaction ended since the last one.
 */
async function newCut(ownership: FeedOwnership, from: bigint): Promise<bigint | null> {
  const { rows } = await ownership.query<{ oldest: string; some: boolean }>(
    `SELECT oldest, EXISTS (SELECT FROM instashop_change WHERE xid >= $1::text::xid8 AND xid < oldest::xid8) AS some
       FROM (SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS oldest) now`,
    [String(from)],
  );
  const { oldest, some } = rows[0]!;
  if (!some || BigInt(oldest) <= from) return null;
  await ownership.query('INSERT INTO instashop_cut VALUES ($1)', [oldest]);
  return BigInt(oldest);
}

/** Each column's text as PostgreSQL writes it: as JSON numbers they would lose their trailing zeros here. */
const TEXTS = (row: string) => `(SELECT jsonb_object_agg(key, value)::text FROM jsonb_each_text(${row}))`;

/** Transactions in an order in which every row's changes keep theirs: by the last change each made. */
async function* changesBetween(
  client: pg.ClientBase,
  from: bigint,
  to: bigint,
): AsyncIterable<readonly ChangeSet[]> {
  await client.query('BEGIN READ ONLY');
  await client.query(
    `DECLARE changes CURSOR FOR
     SELECT xid::text, (extract(epoch FROM max(changed_at) OVER whole) * 1000)::bigint AS at,
            table_name, kind, ${TEXTS('row_before')} AS row_before, ${TEXTS('row_after')} AS row_after
       FROM instashop_change
      WHERE xid >= '${from}'::xid8 AND xid < '${to}'::xid8
        AND NOT pg_visible_in_snapshot(xid, (SELECT snapshot FROM instashop_begin))
     WINDOW whole AS (PARTITION BY xid)
      ORDER BY max(seq) OVER whole, seq`,
  );
  const parts = new Parts(to);
  for (;;) {
    const { rows } = await client.query<ChangeRow>(`FETCH ${FETCH_ROWS} FROM changes`);
    const sets = rows.flatMap((row) => parts.add(row));
    const done = rows.length < FETCH_ROWS;
    if (done) sets.push(...parts.end());
    if (sets.length > 0) yield sets;
    if (done) break;
  }
  await client.query('COMMIT');
}

/** Groups rows into sets: one per transaction, or several of a large one. */
class Parts {
  readonly #cut: bigint;
  #part = 0;
  #partOfTransaction = 0;
  #xid = '';
  #committedAt = 0;
  #changes: RowChange[] = [];
  #chars = 0;

  constructor(cut: bigint) {
    this.#cut = cut;
  }

  add(row: ChangeRow): readonly ChangeSet[] {
    const isFull = this.#changes.length >= PART_ROWS || this.#chars >= PART_CHARS;
    const isNext = this.#changes.length > 0 && (row.xid !== this.#xid || isFull);
    const done = isNext ? [this.#set(false)] : [];
    this.#partOfTransaction = row.xid !== this.#xid ? 0 : this.#partOfTransaction + (isNext ? 1 : 0);
    this.#xid = row.xid;
    this.#committedAt = Number(row.at);
    this.#chars += (row.row_before?.length ?? 0) + (row.row_after?.length ?? 0);
    this.#changes.push({
      table: row.table_name,
      kind: row.kind,
      before: rowOf(row.row_before),
      after: rowOf(row.row_after),
    });
    return done;
  }

  end(): readonly ChangeSet[] {
    return [this.#set(true)];
  }

  #set(last: boolean): ChangeSet {
    // The stream of logical decoding knows the lower 32 bits only.
    const id = String(BigInt(this.#xid || '0') & 0xffffffffn);
    const xid = this.#partOfTransaction === 0 ? id : `${id}.${this.#partOfTransaction}`;
    const changes = this.#changes;
    this.#changes = [];
    this.#chars = 0;
    const ackTo = last ? this.#cut : 0n;
    return {
      commit: this.#cut,
      part: this.#part++,
      last,
      ackTo,
      xid,
      committedAt: this.#committedAt,
      changes,
    };
  }
}

const INSTANT = /^(\d{4,6}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)(\+00):00$/;

/** A row as the logical feed would have it: JSON writes instants another way. */
function rowOf(json: string | null): Row | null {
  if (json === null) return null;
  const row = JSON.parse(json) as Record<string, string | null>;
  for (const [name, value] of Object.entries(row)) if (value) row[name] = value.replace(INSTANT, '$1 $2$3');
  return row;
}
