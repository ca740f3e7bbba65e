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
const ALL_KINDS = [KINDS.sale, KINDS.interaction] as const;

/** How far capture has come. Everything up to `commit`, `part` is published and in this state. */
export interface CapturePlace {
  readonly commit: bigint;
  readonly part: number;
  readonly acknowledged: bigint;
}

/** A row as it is saved: body null: deleted in the shop, undefined: forgotten here. */
export interface StateRow {
  readonly kind: Kind;
  readonly id: number;
  readonly body: string | null | undefined;
}

/** All that is known beside the rows. */
export interface StateHead {
  /** null before the first snapshot was taken whole. */
  readonly place: CapturePlace | null;
  /** Ids of the topics this state was published to, as text. */
  readonly topicIds: string | null;
  /** Highest id ever forgotten, by kind. */
  readonly forgotten: readonly [number, number];
  /** Name of a snapshot whose events may be in the log while its rows are not all in the state. */
  readonly publishing: string | null;
}

interface Stretch {
  readonly from: readonly [number, number];
  readonly to: readonly [number, number];
  /** Epoch seconds. */
  readonly before: number;
  readonly next: { kind: number; id: number };
}
const STRETCH = '(kind, id) > (?, ?) AND (kind, id) <= (?, ?) AND touched < ?';

type Dirty = readonly [Map<number, string | null>, Map<number, string | null>];
const NOTHING = (): Dirty => [new Map(), new Map()];

/**
 * What capture knows of the shop as of one place of the feed: the body of each sale and interaction. Changes are kept
 * in memory until a save, which makes them and the place durable at once. So after a crash the same change sets meet
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
  #dirty: Dirty = NOTHING();
  /** What a save that has begun is making durable; `get` still answers from it. */
  #saving: Dirty = NOTHING();
  /** By kind: ids above are in neither file nor memory. */
  readonly #highest: [number, number];
  #generation: number;
  #pruned: { kind: number; id: number } = { kind: 0, id: 0 };
  #looking: Stretch | null = null;
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
    const saving = this.#saving[kind].get(id);
    if (saving !== undefined) return saving;
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
    this.beginSave();
    this.finishSave(place, null);
  }

  /** Puts aside what changed since the last save, to be made durable by `finishSave`. One save at a time. */
  beginSave(): void {
    this.#saving = this.#dirty;
    this.#dirty = NOTHING();
  }

  /** What was put aside, and what `finishSave` will forget. */
  savedRows(): readonly StateRow[] {
    const rows: StateRow[] = [];
    for (const kind of ALL_KINDS) {
      for (const [id, body] of this.#saving[kind]) rows.push({ kind, id, body });
    }
    const { from, to, before } = this.#stretch();
    const old = this.#db.prepare(`SELECT kind, id FROM entity WHERE ${STRETCH}`).all(...from, ...to, before);
    for (const row of old) {
      const [kind, id] = [row['kind'] as Kind, Number(row['id'])];
      this.#forgotten[kind] = Math.max(this.#forgotten[kind], id);
      if (!this.#saving[kind].has(id)) rows.push({ kind, id, body: undefined });
    }
    return rows;
  }

  /** Makes durable what was put aside, with its place and the next offset of the changelog that has it as well. */
  finishSave(place: CapturePlace, changelogOffset: number | null): void {
    transaction(this.#db, () => {
      this.#writeDirty(this.#saving);
      this.#prune();
      this.#writePlace(place);
      if (changelogOffset !== null) this.#remember.run('changelog_offset', String(changelogOffset));
    });
  }

  #writePlace({ commit, part, acknowledged }: CapturePlace): void {
    this.#remember.run('commit', String(commit));
    this.#remember.run('part', String(part));
    this.#remember.run('acknowledged', String(acknowledged));
  }

  #writeDirty(dirty: Dirty): void {
    const touched = Math.floor(this.#clock.now() / 1000);
    for (const kind of ALL_KINDS) {
      for (const [id, body] of dirty[kind]) this.#put.run(kind, id, body, this.#generation, touched);
      dirty[kind].clear();
    }
  }

  /** The rows that are looked at next for being older than the retention, and what is older. */
  #stretch(): Stretch {
    if (this.#looking !== null) return this.#looking;
    const { kind, id } = this.#pruned;
    const end = this.#db
      .prepare('SELECT kind, id FROM entity WHERE (kind, id) > (?, ?) ORDER BY kind, id LIMIT 1 OFFSET ?')
      .get(kind, id, PRUNE_ROWS);
    const to = end ? ([Number(end['kind']), Number(end['id'])] as const) : null;
    this.#looking = {
      from: [kind, id],
      to: to ?? [KINDS.interaction + 1, 0],
      before: Math.floor((this.#clock.now() - this.#retentionMs) / 1000),
      next: to === null ? { kind: 0, id: 0 } : { kind: to[0], id: to[1] },
    };
    return this.#looking;
  }

  /** Forgets what was not touched within the retention, a stretch of ids a time. */
  #prune(): void {
    const { from, to, before, next } = this.#stretch();
    const gone = this.#db
      .prepare(`DELETE FROM entity WHERE ${STRETCH} RETURNING kind, id`)
      .all(...from, ...to, before);
    for (const row of gone) {
      const of = row['kind'] as Kind;
      this.#forgotten[of] = Math.max(this.#forgotten[of], Number(row['id']));
    }
    if (gone.length > 0) this.#writeForgotten();
    this.#pruned = next;
    this.#looking = null;
  }

  #writeForgotten(): void {
    for (const kind of ALL_KINDS) this.#remember.run(`forgotten_${kind}`, String(this.#forgotten[kind]));
  }

  /**
   * Takes a snapshot's differences: `fill` puts rows and spools the events; then everything of an earlier snapshot
   * that was not put again is handed to `gone`. Durable as a whole with its place, or not at all.
   */
  async takeSnapshot(parts: {
    readonly place: CapturePlace;
    /** Tells this snapshot from every other one, until `snapshotLogged`. */
    readonly name: string;
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
      if (this.dirtyCount > 10_000) this.#writeDirty(this.#dirty);
    };
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      this.#writeDirty(this.#dirty);
      this.#generation += 1;
      await parts.fill(spool);
      this.#writeDirty(this.#dirty);
      const left = this.#db
        .prepare('SELECT kind, id, body FROM entity WHERE generation < ? AND body IS NOT NULL')
        .all(this.#generation);
      for (const { kind, id, body } of left) await parts.gone(kind as Kind, Number(id), String(body), spool);
      this.#writeDirty(this.#dirty);
      this.#writePlace(parts.place);
      this.#remember.run('snapshot', parts.name);
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

  head(): StateHead {
    const publishing = this.#memory('publishing') || null;
    return { place: this.place(), topicIds: this.topicIds(), forgotten: [...this.#forgotten], publishing };
  }

  /** Next offset of the changelog that this state reflects; null: it was never kept in one. */
  changelogOffset(): number | null {
    const offset = this.#memory('changelog_offset');
    return offset === null ? null : Number(offset);
  }

  /** Name of the snapshot that is in this state and not yet in the changelog. */
  unloggedSnapshot(): string | null {
    return this.#memory('snapshot');
  }

  /** All rows of the newest snapshot, from the row after the given one, at most `limit`. */
  snapshotRows(after: { readonly kind: number; readonly id: number }, limit: number): readonly StateRow[] {
    const rows = this.#db
      .prepare(
        `SELECT kind, id, body FROM entity WHERE (kind, id) > (?, ?) AND generation = ?
         ORDER BY kind, id LIMIT ?`,
      )
      .all(after.kind, after.id, this.#generation, limit);
    return rows.map(({ kind, id, body }) => ({
      kind: kind as Kind,
      id: Number(id),
      body: body as string | null,
    }));
  }

  snapshotLogged(changelogOffset: number): void {
    transaction(this.#db, () => {
      this.#remember.run('changelog_offset', String(changelogOffset));
      this.#db.exec("DELETE FROM memory WHERE name IN ('snapshot', 'publishing')");
    });
  }

  /**
   * Takes over what another capture saved: rows, up to the next offset of the changelog. Without a head they are of a
   * save whose end is still to come, and the state is of no place until then.
   */
  adopt(
    rows: Iterable<StateRow & { readonly touched: number }>,
    head: StateHead | null,
    offset: number,
  ): void {
    const forget = this.#db.prepare('DELETE FROM entity WHERE kind = ? AND id = ?');
    transaction(this.#db, () => {
      for (const { kind, id, body, touched } of rows) {
        if (body === undefined) {
          forget.run(kind, id);
          continue;
        }
        this.#put.run(kind, id, body, this.#generation, touched);
        if (id > this.#highest[kind]) this.#highest[kind] = id;
      }
      this.#remember.run('changelog_offset', String(offset));
      this.#remember.run('torn', head === null ? '1' : '0');
      if (head === null) return;
      [this.#forgotten[0], this.#forgotten[1]] = head.forgotten;
      this.#writeForgotten();
      this.#remember.run('publishing', head.publishing ?? '');
      if (head.topicIds !== null) this.#remember.run('topic_ids', head.topicIds);
      if (head.place !== null) this.#writePlace(head.place);
    });
  }

  /** Rows were adopted whose save has not ended yet. */
  isTorn(): boolean {
    return this.#memory('torn') === '1';
  }

  /** Forgets everything. */
  clear(): void {
    transaction(this.#db, () => this.#db.exec('DELETE FROM entity; DELETE FROM memory; DELETE FROM spool'));
    this.#highest.fill(Number.NEGATIVE_INFINITY);
    this.#forgotten.fill(0);
    this.#generation = 0;
  }

  /** A fault of the file as the rest of the system understands it (lib/sqlite.ts); anything else as it is. */
  fault(error: unknown): unknown {
    return sqliteFault(error, { path: this.#path, remedy: FILE.remedy });
  }

  close(): void {
    this.#db.close();
  }
}
