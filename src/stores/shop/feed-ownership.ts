// Which of several captures reads a database's changes: the one whose session holds the database's lock.
import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';
import type { ShopDatabase } from './changes.ts';

/** Any number, the same in every process; the second half of the lock's key tells the databases apart. */
const LOCK = 7_301_956;
const SECOND_HALF: Readonly<Record<ShopDatabase, number>> = { instashop: 0, crm_db: 1 };
/** How often whoever waits tries again. */
const TRY_EVERY_MS = 400;
/** The owner says this often that it lives; */
const PING_EVERY_MS = 1_000;
/** silent for so long, as a frozen process is, the server ends its session, */
const SILENT_MS_MAX = 5_000;
/** and an answer that takes longer is none. */
const ANSWER_MS_MAX = 4_000;
/** The server's last words to a session that it ends: for its silence, at a stop, or because somebody wants it so. */
const ENDED_SQLSTATE = /^(25P03|57P0[1-5])$/;

export interface FeedOwnershipOptions {
  readonly url: string;
  readonly database: ShopDatabase;
  readonly clock: Clock;
}

/**
 * An advisory lock on a session of its own. The session, and the lock with it, is gone at once when the owner dies,
 * and within about 6 s when it is frozen or its host has vanished.
 */
export class FeedOwnership {
  readonly #options: FeedOwnershipOptions;
  #client: pg.Client | null = null;
  /** Aborted when the session that holds the lock is gone; one for each session. */
  #lost = new AbortController();

  constructor(options: FeedOwnershipOptions) {
    this.#options = options;
  }

  /**
   * Resolves once the lock is ours, or when the signal aborts. `waiting` is called when another session has it. Rejects
   * with a retryable error when the server is away.
   */
  async acquire(signal: AbortSignal, waiting: () => void): Promise<void> {
    await this.release();
    const { url, database, clock } = this.#options;
    const client = new pg.Client({
      connectionString: url,
      application_name: 'instashop capture owner',
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    });
    const lost = new AbortController();
    client.on('error', () => lost.abort());
    client.on('end', () => lost.abort());
    try {
      await client.connect();
      // Servers before version 14 know only one of the two.
      await client.query(
        `SELECT set_config(name, '${SILENT_MS_MAX}', false) FROM pg_settings
          WHERE name IN ('idle_session_timeout', 'idle_in_transaction_session_timeout')`,
      );
      const tryLock = async () => {
        const sql = 'SELECT pg_try_advisory_lock($1, $2) AS mine';
        const { rows } = await client.query<{ mine: boolean }>(sql, [LOCK, SECOND_HALF[database]]);
        return rows[0]!.mine;
      };
      let mine = await tryLock();
      if (!mine) waiting();
      for (; !mine && !signal.aborted; mine = await tryLock()) await clock.sleep(TRY_EVERY_MS, signal);
      if (!mine) return await client.end();
    } catch (error) {
      client.end().catch(() => {});
      throw error;
    }
    this.#client = client;
    this.#lost = lost;
    this.#ping(client, lost).catch(() => lost.abort());
  }

  async #ping(client: pg.Client, lost: AbortController): Promise<void> {
    const { clock } = this.#options;
    while (!lost.signal.aborted) {
      await clock.sleep(PING_EVERY_MS, lost.signal);
      if (lost.signal.aborted) return;
      const answered = new AbortController();
      const late = clock.sleep(ANSWER_MS_MAX, answered.signal).then(() => !answered.signal.aborted);
      const isLate = await Promise.race([client.query('SELECT').then(() => false), late]);
      answered.abort();
      if (isLate) return lost.abort();
    }
  }

  /** Aborts when what `acquire` gave is gone. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Throws a retryable error when what `acquire` gave is gone. */
  verify(): void {
    if (!this.lost.aborted) return;
    const message = `the changes of ${this.#options.database} may be read by another capture by now`;
    throw Object.assign(new Error(message), { retryable: true });
  }

  /**
   * Over the session that holds the lock: what is written so is written by the owner or not at all. Rejects as
   * `verify` does when the session is gone.
   */
  async query<R extends pg.QueryResultRow>(sql: string, values: unknown[] = []): Promise<pg.QueryResult<R>> {
    this.verify();
    if (this.#client === null) throw new Error('the feed is read by its owner alone: acquire it first');
    try {
      return await this.#client.query<R>(sql, values);
    } catch (error) {
      // Whoever waits for an answer hears of the end before the session itself does.
      if (ENDED_SQLSTATE.test(String((error as pg.DatabaseError).code))) this.#lost.abort();
      this.verify();
      throw error;
    }
  }

  /** Lets others have it. */
  async release(): Promise<void> {
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }
}
