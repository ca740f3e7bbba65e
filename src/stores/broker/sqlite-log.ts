// The log as an SQLite file: a table per partition, one row per record, and where each partition starts and ends.
import { randomUUID } from 'node:crypto';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Topic } from '../../contracts/topics.ts';
import { openSqlite, sqliteFault, transaction } from '../../lib/sqlite.ts';
import { type TopicPartition, topicPartition } from './broker.ts';

/** A partition as of the last look at the file. `end` never falls, so that no offset is used twice. */
export interface Partition {
  readonly id: number;
  readonly topic: string;
  readonly partition: number;
  readonly name: TopicPartition;
  readonly topicId: string;
  readonly compacted: boolean;
  /** SQL name of its table. */
  readonly table: string;
  /** Oldest offset that retention has left. */
  start: number;
  end: number;
  /** Keys, values and headers of all its records. */
  bytes: number;
  /** Records below were compared with what came before them (compacted topics). */
  cleaned: number;
  readonly insert: StatementSync;
}

/** A record ready to be stored. */
export interface StoredRecord {
  readonly partition: Partition;
  readonly timestamp: number;
  readonly key: string | null;
  /** JSON text; null for none. */
  readonly headers: string | null;
  readonly value: Uint8Array;
  readonly bytes: number;
}

export interface GroupOffsets {
  readonly group: string;
  readonly offsets: ReadonlyMap<Partition, number>;
}

const KIND = 0x4953_4c47;
const FORMAT = 1;
const REMEDY =
  'Put the file back from a copy, or start over with `instashop reset`: the shop is then read anew.';

const SCHEMA = `
  CREATE TABLE _topics (name TEXT PRIMARY KEY, id TEXT NOT NULL, compacted INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE _partitions (
    id INTEGER PRIMARY KEY, topic TEXT NOT NULL, partition INTEGER NOT NULL, start_offset INTEGER NOT NULL DEFAULT 0,
    end_offset INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0, cleaned INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, partition));
  CREATE TABLE _offsets (
    consumer_group TEXT, partition_id INTEGER, next_offset INTEGER NOT NULL,
    PRIMARY KEY (consumer_group, partition_id)) WITHOUT ROWID;`;

/**
 * A checkpoint of the WAL about every 4 MB: a commit waits for it, and larger ones showed in the p99 of the page. The
 * file is cut back to 64 MB after a burst.
 */
const PRAGMAS = `
  PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 67108864;
  PRAGMA cache_size = -8000;`;

/** Names that need no escaping in SQL; our own tables begin with an underscore. */
const TOPIC_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/;

export class SqliteLog {
  readonly #file: { readonly path: string; readonly remedy: string };
  readonly #db: DatabaseSync;
  readonly #onGrowth: () => void;
  readonly #topics = new Map<string, Partition[]>();
  readonly #byId = new Map<number, Partition>();
  readonly #dataVersion: StatementSync;
  readonly #load: StatementSync;
  readonly #saveEnd: StatementSync;
  readonly #saveOffset: StatementSync;
  /** PRAGMA data_version of the last look: it changes when another connection commits. */
  #seen: unknown = null;
  #durable = true;

  /** `onGrowth` is called when this or another process has appended (or changed anything else). */
  constructor(path: string, onGrowth: () => void) {
    this.#file = { path, remedy: REMEDY };
    this.#onGrowth = onGrowth;
    this.#db = openSqlite({
      path,
      kind: KIND,
      format: FORMAT,
      schema: SCHEMA,
      pragmas: PRAGMAS,
      remedy: REMEDY,
    });
    this.#dataVersion = this.prepare('PRAGMA data_version');
    this.#load = this.prepare(`
      SELECT p.id, topic, partition, t.id, compacted, start_offset, end_offset, bytes, cleaned
      FROM _partitions p JOIN _topics t ON t.name = topic ORDER BY p.id`);
    this.#saveEnd = this.prepare('UPDATE _partitions SET end_offset = ?, bytes = ? WHERE id = ?');
    this.#saveOffset = this.prepare('INSERT OR REPLACE INTO _offsets VALUES (?, ?, ?)');
    this.refresh();
  }

  /** A statement whose rows come as arrays. */
  prepare(sql: string): StatementSync {
    const statement = this.#db.prepare(sql);
    statement.setReturnArrays(true);
    return statement;
  }

  /** Looks for what other processes did. */
  refresh(): void {
    this.#guard(() => this.#refresh());
  }

  /** The topic's partitions, by number. Throws when it was never created. */
  partitions(topic: string): readonly Partition[] {
    if (!this.#topics.has(topic)) this.refresh();
    const partitions = this.#topics.get(topic);
    if (partitions === undefined) throw new Error(`no topic ${topic}: createTopics comes first`);
    return partitions;
  }

  partition(topic: string, partition: number): Partition {
    const found = this.partitions(topic)[partition];
    if (found === undefined) throw new Error(`topic ${topic} has no partition ${partition}`);
    return found;
  }

  all(): Iterable<Partition> {
    return this.#byId.values();
  }

  createTopics(topics: readonly Topic[]): void {
    const wrong = topics.find(({ name }) => !TOPIC_NAME.test(name));
    if (wrong !== undefined) throw new Error(`${wrong.name} cannot be the name of a topic`);
    if (topics.every(({ name }) => this.#topics.has(name))) return;
    this.update(true, () => {
      for (const topic of topics) if (!this.#topics.has(topic.name)) this.#create(topic);
    });
    this.refresh();
  }

  /** Appends and commits offsets in one transaction, on the disk when it returns if it holds any record. */
  write(
    records: Iterable<readonly StoredRecord[]>,
    commits: readonly GroupOffsets[],
    durable: boolean,
  ): void {
    const grown = new Map<Partition, { end: number; bytes: number }>();
    this.update(durable, () => {
      for (const batch of records) {
        for (const { partition, timestamp, key, headers, value, bytes } of batch) {
          const size = grown.get(partition) ?? { end: partition.end, bytes: partition.bytes };
          if (size.end === partition.end) grown.set(partition, size);
          partition.insert.run(size.end++, timestamp, key, headers, value);
          size.bytes += bytes;
        }
      }
      for (const [{ id }, { end, bytes }] of grown) this.#saveEnd.run(end, bytes, id);
      for (const { group, offsets } of commits) {
        for (const [{ id }, offset] of offsets) this.#saveOffset.run(group, id, offset);
      }
      return false;
    });
    for (const [partition, size] of grown) Object.assign(partition, size);
    if (grown.size > 0) this.#onGrowth();
  }

  /**
   * Runs a write transaction on the newest state of the partitions. `durable`: on the disk when it returns; else it
   * is there with the next durable one, and a power cut before that undoes it. Unless the action returns false, the
   * partitions are read anew afterwards.
   */
  update(durable: boolean, action: () => unknown): void {
    this.#guard(() => {
      if (durable !== this.#durable) this.#db.exec(`PRAGMA synchronous = ${durable ? 'FULL' : 'NORMAL'}`);
      this.#durable = durable;
      let known = false;
      try {
        known =
          transaction(this.#db, () => {
            this.#refresh();
            return action();
          }) === false;
      } finally {
        if (!known) this.#seen = null;
      }
    });
  }

  /** Runs reads on one state of the file, with the partitions as they are in it. */
  snapshot<T>(action: () => T): T {
    return this.#guard(() => {
      this.#db.exec('BEGIN');
      try {
        this.#refresh();
        return action();
      } finally {
        this.#db.exec('COMMIT');
      }
    });
  }

  close(): void {
    this.#db.close();
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw sqliteFault(error, this.#file);
    }
  }

  #refresh(): void {
    const [version] = this.#dataVersion.get() as unknown as readonly unknown[];
    if (version === this.#seen) return;
    for (const row of this.#load.all() as unknown as readonly PartitionRow[]) this.#take(row);
    this.#seen = version;
    this.#onGrowth();
  }

  #take([id, topic, partition, topicId, compacted, start, end, bytes, cleaned]: PartitionRow): void {
    const known = this.#byId.get(id);
    if (known !== undefined) {
      Object.assign(known, { start, end, bytes, cleaned });
      return;
    }
    const table = tableOf(topic, partition);
    const made: Partition = {
      ...{ id, topic, partition, topicId, table, start, end, bytes, cleaned },
      name: topicPartition(topic, partition),
      compacted: compacted === 1,
      insert: this.prepare(`INSERT INTO ${table} VALUES (?, ?, ?, ?, ?)`),
    };
    this.#byId.set(id, made);
    const ofTopic = this.#topics.get(topic) ?? [];
    ofTopic[partition] = made;
    this.#topics.set(topic, ofTopic);
  }

  #create({ name, partitions, compacted }: Topic): void {
    this.#db.prepare('INSERT INTO _topics VALUES (?, ?, ?)').run(name, randomUUID(), compacted ? 1 : 0);
    const numbers = Array.from({ length: partitions }, (_, partition) => partition);
    for (const partition of numbers) {
      const table = tableOf(name, partition);
      this.#db.prepare('INSERT INTO _partitions (topic, partition) VALUES (?, ?)').run(name, partition);
      this.#db.exec(`
        CREATE TABLE ${table} (
          "offset" INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key TEXT, headers TEXT, value BLOB NOT NULL)`);
      if (compacted) this.#db.exec(`CREATE INDEX "${name}/${partition}/key" ON ${table} (key)`);
    }
    // For people with the sqlite3 shell.
    const selects = numbers.map((partition) => {
      const columns = `${partition} AS partition, "offset", timestamp, key, headers, CAST(value AS TEXT) AS value`;
      return `SELECT ${columns} FROM ${tableOf(name, partition)}`;
    });
    this.#db.exec(`CREATE VIEW "${name}" AS ${selects.join(' UNION ALL ')}`);
  }
}

type PartitionRow = readonly [number, string, number, string, number, number, number, number, number];

const tableOf = (topic: string, partition: number): string => `"${topic}/${partition}"`;
