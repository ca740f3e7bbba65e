import { join } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Clock } from '../../lib/clock.ts';
import { openSqlite, sqliteFault, transaction } from '../../lib/sqlite.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import type { ShopDatabase } from '../../stores/shop/changes.ts';

const FILE = {
  kind: 0x15_09_03,
  format: 1,
  schema: `
    CREATE TABLE entity (kind INTEGER, id INTEGER, body TEXT, generation INTEGER, touched INTEGER,
                         PRIMARY KEY (kind, id)) WITHOUT ROWID;
    CREATE TABLE memory (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
    CREATE TABLE spool (ordinal INTEGER PRIMARY KEY, topic TEXT, partition INTEGER, key TEXT, value BLOB, headers TEXT);
  `,
  pragmas: 'PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;',
  remedy: 'Start over with `instashop reset`, or bring the file back from a backup together with the log.',
};

/** Rows looked at per save for being older than the retention. */
const PRUNE_ROWS = 2_000;

export const KINDS = { sale: 0, interaction: 1 } as const;
export type Kind = (typeof KINDS)[keyof typeof KINDS];

/** How far capture has come. Everything up to `commit`, `part` is published and in this state. */
export interface CapturePlace {
  readonly commit: bigint;
  readonly part: number;
  readonly acknowledged: bigint;
}

/**
 * What capture knows of the shop as of one place of the feed: the body of each sale and interaction. Changes are kept
 * in memory until `save`, which makes them and the place durable at once. So after a crash the same change sets meet
 * the same state again and make the same events.
 */
export class CaptureState {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #clock: Clock;
  readonly #retentionMs: number;
  readonly #get: StatementSync;
  readonly #put: StatementSync;
  readonly #remember: StatementSync;
  readonly #dirty = [new Map<number, string | null>(), new Map<number, string | null>()] as const;
  /** By kind: ids above are in neither file nor memory. */
  readonly #highest: [number, number];
  #generation: number;
  #pruned: { kind: number; id: number } = { kind: 0, id: 0 };
  /** Highest id ever forgotten, by kind. */
  readonly #forgotten: [number, number];

  constructor(dir: string, database: ShopDatabase, clock: Clock, retentionMs: number) {
    this.#path = join(dir, `capture-${database}.db`);
    this.#db = openSqlite({ ...FILE, path: this.#path });
    this.#clock = clock;
    this.#retentionMs = retentionMs;
    this.#get = this.#db.prepare('SELECT body FROM entity WHERE kind = ? AND id = ?');
    this.#put = this.#db.prepare(
      `INSERT INTO entity VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
       body = excluded.body, generation = excluded.generation, touched = excluded.touched`,
    );
    this.#remember = this.#db.prepare(
      'INSERT INTO memory VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    );
    const highest = this.#db.prepare('SELECT max(id) AS id FROM entity WHERE kind = ?');
    const highestOf = (kind: Kind) => Number(highest.get(kind)?.['id'] ?? Number.NEGATIVE_INFINITY);
    this.#highest = [highestOf(KINDS.sale), highestOf(KINDS.interaction)];
    this.#generation = Number(this.#memory('generation') ?? 0);
    this.#forgotten = [Number(this.#memory('forgotten_0') ?? 0), Number(this.#memory('forgotten_1') ?? 0)];
  }

  #memory(name: string): string | null {
    const row = this.#db.prepare('SELECT value FROM memory WHERE name = ?').get(name);
    return row === undefined ? null : String(row['value']);
  }

  /** null before the first snapshot was taken whole. */
  place(): CapturePlace | null {
    const commit = this.#memory('commit');
    if (commit === null) return null;
    return {
      commit: BigInt(commit),
      part: Number(this.#memory('part')),
      acknowledged: BigInt(this.#memory('acknowledged')!),
    };
  }

  /** Ids of the topics this state was published to, as text; null before the first snapshot. */
  topicIds(): string | null {
    return this.#memory('topic_ids');
  }

  /** Body of a row; null: it was deleted; undefined: unknown here. */
  get(kind: Kind, id: number): string | null | undefined {
    const dirty = this.#dirty[kind].get(id);
    if (dirty !== undefined) return dirty;
    // New ids rise, so that most need no look at the file.
    if (id > this.#highest[kind]) return undefined;
    const row = this.#get.get(kind, id);
    return row === undefined ? undefined : (row['body'] as string | null);
  }

  /** Whether a row that is unknown here may have been published and forgotten since. */
  mayBeForgotten(kind: Kind, id: number): boolean {
    return id <= this.#forgotten[kind];
  }

  put(kind: Kind, id: number, body: string | null): void {
    this.#dirty[kind].set(id, body);
    if (id > this.#highest[kind]) this.#highest[kind] = id;
  }

  get dirtyCount(): number {
    return this.#dirty[0].size + this.#dirty[1].size;
  }

  /** When it throws, what was put since the last save may be lost: make the state anew. */
  save(place: CapturePlace): void {
    transaction(this.#db, () => {
      this.#writeDirty();
      this.#prune();
      this.#writePlace(place);
    });
  }

  #writePlace({ commit, part, acknowledged }: CapturePlace): void {
    this.#remember.run('commit', String(commit));
    this.#remember.run('part', String(part));
    this.#remember.run('acknowledged', String(acknowledged));
  }

  #writeDirty(): void {
    const touched = Math.floor(this.#clock.now() / 1000);
    for (const kind of [KINDS.sale, KINDS.interaction]) {
      for (const [id, body] of this.#dirty[kind]) this.#put.run(kind, id, body, this.#generation, touched);
      this.#dirty[kind].clear();
    }
  }

  /** Forgets what was not touched within the retention, a stretch of ids a time. */
  #prune(): void {
    const { kind, id } = this.#pruned;
    const end = this.#db
      .prepare('SELECT kind, id FROM entity WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT 1 OFFSET ?')
      .get(kind, id, PRUNE_ROWS);
    const [endKind, endId] = end ? [Number(end['kind']), Number(end['id'])] : [KINDS.interaction + 1, 0];
    const before = Math.floor((this.#clock.now() - this.#retentionMs) / 1000);
    const gone = this.#db
      .prepare(
        `DELETE FROM entity WHERE (kind, id) > (?, ?) AND (kind, id) <= (?, ?) AND touched < ?
         RETURNING kind, id`,
      )
      .all(kind, id, endKind, endId, before);
    for (const row of gone) {
      const of = row['kind'] as Kind;
      this.#forgotten[of] = Math.max(this.#forgotten[of], Number(row['id']));
      this.#remember.run(`forgotten_${of}`, String(this.#forgotten[of]));
    }
    this.#pruned = end ? { kind: endKind, id: endId } : { kind: 0, id: 0 };
  }

  /**
   * Takes a snapshot's differences: `fill` puts rows and spools the events; then everything of an earlier snapshot
   * that was not put again is handed to `gone`. Durable as a whole with its place, or not at all.
   */
  async takeSnapshot(parts: {
    readonly place: CapturePlace;
    readonly topicIds: string;
    readonly fill: (spool: (record: OutgoingRecord) => void) => Promise<void>;
    readonly gone: (
      kind: Kind,
      id: number,
      body: string,
      spool: (record: OutgoingRecord) => void,
    ) => Promise<void>;
  }): Promise<void> {
    let ordinal = 0;
    const insert = this.#db.prepare('INSERT INTO spool VALUES (?, ?, ?, ?, ?, ?)');
    const spool = ({ topic, partition, key, value, headers }: OutgoingRecord) => {
      insert.run(ordinal++, topic, partition, key, value, JSON.stringify(headers));
      if (this.dirtyCount > 10_000) this.#writeDirty();
    };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      this.#generation += 1;
      await parts.fill(spool);
      this.#writeDirty();
      const left = this.#db
        .prepare('SELECT kind, id, body FROM entity WHERE generation < ? AND body IS NOT NULL')
        .all(this.#generation);
      for (const { kind, id, body } of left) await parts.gone(kind as Kind, Number(id), String(body), spool);
      this.#writeDirty();
      this.#writePlace(parts.place);
      this.#remember.run('topic_ids', parts.topicIds);
      this.#remember.run('generation', String(this.#generation));
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** Spooled records after `ordinal`, in order, at most `limit`; the second value is where to go on. */
  spooled(ordinal: number, limit: number): readonly [readonly OutgoingRecord[], number] {
    const rows = this.#db
      .prepare('SELECT * FROM spool WHERE ordinal > ? ORDER BY ordinal LIMIT ?')
      .all(ordinal, limit);
    const records = rows.map((row) => ({
      topic: String(row['topic']),
      partition: Number(row['partition']),
      key: String(row['key']),
      value: row['value'] as Uint8Array,
      headers: JSON.parse(String(row['headers'])),
    }));
    return [records, Number(rows.at(-1)?.['ordinal'] ?? ordinal)];
  }

  clearSpool(): void {
    this.#db.exec('DELETE FROM spool');
  }

  /** A fault of the file as the rest of the system understands it (lib/sqlite.ts); anything else as it is. */
  fault(error: unknown): unknown {
    return sqliteFault(error, { path: this.#path, remedy: FILE.remedy });
  }

  close(): void {
    this.#db.close();
  }
}
