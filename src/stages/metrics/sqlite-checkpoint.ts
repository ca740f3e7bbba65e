// The checkpoint in one SQLite file. Losing the last saves in a power cut is harmless: the engine reads again from the
// offsets of the save that is left, so nothing waits for the disk here.
import { hash } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { METRICS, type MetricDefinition } from '../../contracts/metrics.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { openSqlite, sqliteFault, transaction } from '../../lib/sqlite.ts';
import type { TopicPartition } from '../../stores/broker/broker.ts';
import { accountingOf } from './accounting.ts';
import type { CellState, Checkpoint, CheckpointChanges, CheckpointState, SavedCell } from './checkpoint.ts';
import { compile } from './compile.ts';
import type { Accounting, Fate } from './engine.ts';
import type { Scalar } from './fields.ts';
import type { LedgerKind } from './ledgers.ts';

const FILE = 'checkpoint.db';
const KIND = 0x4953_4d43;
const FORMAT = 1;
const REMEDY = 'Remove the file: the windows are then computed anew from the start of the log.';

const SCHEMA = `
  CREATE TABLE owner (number INTEGER NOT NULL);
  CREATE TABLE meta (name TEXT PRIMARY KEY, json TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE offsets (
    source TEXT PRIMARY KEY, topic_id TEXT NOT NULL, next_offset INTEGER NOT NULL, newest INTEGER) WITHOUT ROWID;
  CREATE TABLE cells (
    id INTEGER PRIMARY KEY, definition TEXT NOT NULL, window_start INTEGER NOT NULL, group_json TEXT NOT NULL,
    state_json TEXT NOT NULL);
  CREATE INDEX cells_by_window ON cells (window_start);
  CREATE TABLE members (cell INTEGER NOT NULL, sets_json TEXT NOT NULL);
  CREATE INDEX members_by_cell ON members (cell);
  CREATE TABLE ledgers (
    kind TEXT, definition TEXT, day TEXT, name TEXT, sums_json TEXT NOT NULL,
    PRIMARY KEY (kind, definition, day, name)) WITHOUT ROWID;
  CREATE TABLE tallies (
    topic TEXT, day TEXT, fate TEXT, count INTEGER NOT NULL, PRIMARY KEY (topic, day, fate)) WITHOUT ROWID;`;

/** What stands in files that name no engine. */
const EMBEDDED = 'embedded';

const DATA_TABLES = ['meta', 'offsets', 'cells', 'members', 'ledgers', 'tallies'];

/** What a saved state belongs to: another text means that it cannot be gone on from. */
const fingerprint = (definitions: readonly MetricDefinition[]): string =>
  hash('sha256', JSON.stringify(definitions));

/**
 * Opens (and makes) the checkpoint in `dir` and takes it over from whoever had it open. `engine`: whose state it is,
 * for one engine cannot go on from what another has saved.
 */
export function openSqliteCheckpoint(
  dir: string,
  definitions: readonly MetricDefinition[],
  log: Log,
  engine = EMBEDDED,
): Checkpoint {
  mkdirSync(dir, { recursive: true });
  return new SqliteCheckpoint(join(dir, FILE), { definitions: fingerprint(definitions), engine }, log);
}

/**
 * Sums of everything read up to the offsets it names, from the checkpoint in `dir`, also while another process writes
 * it. null: there is none, or it belongs to other definitions.
 */
export function readAccounting(dir: string, definitions = METRICS): Accounting | null {
  const path = join(dir, FILE);
  if (!existsSync(path)) return null;
  const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 });
  try {
    db.exec('BEGIN');
    if (readMeta(db)['definitions'] !== fingerprint(definitions)) return null;
    const compiled = compile(definitions).definitions;
    const byName = new Map(compiled.map((definition) => [definition.name, definition]));
    return accountingOf({
      definitions: compiled,
      offsets: new Map(readOffsets(db).map(({ source, nextOffset }) => [source, nextOffset])),
      cells: readCells(db).map(({ definition, windowStart, group, state }) => ({
        definition: byName.get(definition)!,
        windowStart,
        group,
        sums: state.sums.map((sum) => sum ?? 0),
      })),
      ledgers: readLedgers(db),
      tallies: readTallies(db),
    });
  } finally {
    db.close();
  }
}

interface Identity {
  readonly definitions: string;
  readonly engine: string;
}

class SqliteCheckpoint implements Checkpoint {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #identity: Identity;
  readonly #log: Log;
  readonly #owner: number;
  readonly #metaSaved = new Map<string, string>();
  readonly #statements: Record<
    'meta' | 'offset' | 'cell' | 'members' | 'ledger' | 'tally' | 'owner',
    StatementSync
  >;

  constructor(path: string, identity: Identity, log: Log) {
    this.#identity = identity;
    this.#log = log;
    this.#path = path;
    const pragmas = 'PRAGMA synchronous = NORMAL;';
    this.#db = openSqlite({ path, kind: KIND, format: FORMAT, schema: SCHEMA, pragmas, remedy: REMEDY });
    const prepare = (sql: string): StatementSync => this.#db.prepare(sql);
    this.#statements = {
      meta: prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)'),
      offset: prepare('INSERT OR REPLACE INTO offsets VALUES (?, ?, ?, ?)'),
      cell: prepare('INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?, ?)'),
      members: prepare('INSERT INTO members VALUES (?, ?)'),
      ledger: prepare('INSERT OR REPLACE INTO ledgers VALUES (?, ?, ?, ?, ?)'),
      tally: prepare('INSERT OR REPLACE INTO tallies VALUES (?, ?, ?, ?)'),
      owner: prepare('SELECT number FROM owner'),
    };
    try {
      this.#owner = this.#mapped(() => transaction(this.#db, () => this.#takeOver()));
    } catch (error) {
      // The next attempt opens the file anew.
      this.#db.close();
      throw error;
    }
  }

  /** Faults of the file as the rest of the system understands them. */
  #mapped<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw sqliteFault(error, { path: this.#path, remedy: REMEDY });
    }
  }

  #takeOver(): number {
    const number = Number(this.#statements.owner.get()?.['number'] ?? 0) + 1;
    this.#db.exec(`DELETE FROM owner; INSERT INTO owner VALUES (${number})`);
    return number;
  }

  load(): CheckpointState | null {
    return this.#mapped(() => this.#load());
  }

  #load(): CheckpointState | null {
    const meta = readMeta(this.#db);
    if (meta['definitions'] === undefined) return null;
    const { definitions, engine } = this.#identity;
    const isOther = meta['definitions'] !== definitions;
    if (isOther || (meta['engine'] ?? EMBEDDED) !== engine) {
      const changed = isOther ? 'metric definitions' : 'metrics engine';
      this.#log.warn(`the ${changed} changed: all windows are computed anew from the start of the log`);
      this.#clear();
      return null;
    }
    const members = readMembers(this.#db);
    return {
      offsets: readOffsets(this.#db),
      meta,
      cells: readCells(this.#db).map((cell) => ({ ...cell, members: members(cell.id) })),
      ledgers: readLedgers(this.#db),
      tallies: readTallies(this.#db),
    };
  }

  clear(): void {
    this.#mapped(() => this.#clear());
  }

  #clear(): void {
    transaction(this.#db, () => this.#db.exec(DATA_TABLES.map((table) => `DELETE FROM ${table};`).join('')));
    this.#metaSaved.clear();
  }

  save(changes: CheckpointChanges): void {
    const write = (): void => {
      if (this.#statements.owner.get()?.['number'] !== this.#owner) {
        throw new UserError(
          'another process has taken over the metrics checkpoint',
          'Run one metrics stage a data folder.',
        );
      }
      this.#write(changes);
    };
    this.#mapped(() => transaction(this.#db, write));
  }

  #write({ offsets, meta, cells, evicted, ledgers, tallies }: CheckpointChanges): void {
    const { meta: saveMeta, offset, cell: saveCell, members, ledger, tally } = this.#statements;
    for (const [name, value] of Object.entries({ ...meta, ...this.#identity })) {
      const json = JSON.stringify(value);
      if (this.#metaSaved.get(name) === json) continue;
      saveMeta.run(name, json);
      this.#metaSaved.set(name, json);
    }
    for (const { source, topicId, nextOffset, newest } of offsets)
      offset.run(source, topicId, nextOffset, newest);
    for (const { id, definition, windowStart, group, state, added } of cells) {
      saveCell.run(id, definition, windowStart, JSON.stringify(group), JSON.stringify(state));
      if (added !== null) members.run(id, JSON.stringify(added));
    }
    for (const start of evicted) {
      this.#db.exec(`
        DELETE FROM members WHERE cell IN (SELECT id FROM cells WHERE window_start = ${start});
        DELETE FROM cells WHERE window_start = ${start};`);
    }
    for (const { kind, definition, day, group, sums } of ledgers) {
      ledger.run(kind, definition, day, group, JSON.stringify(sums));
    }
    for (const { topic, day, fate, count } of tallies) tally.run(topic, day, fate, count);
  }

  close(): void {
    this.#db.close();
  }
}

const readMeta = (db: DatabaseSync): Record<string, unknown> =>
  Object.fromEntries(
    db
      .prepare('SELECT name, json FROM meta')
      .all()
      .map(({ name, json }) => [String(name), JSON.parse(String(json))]),
  );

const readOffsets = (db: DatabaseSync): CheckpointState['offsets'] =>
  db
    .prepare('SELECT source, topic_id, next_offset, newest FROM offsets')
    .all()
    .map((row) => ({
      source: String(row['source']) as TopicPartition,
      topicId: String(row['topic_id']),
      nextOffset: Number(row['next_offset']),
      newest: row['newest'] === null ? null : Number(row['newest']),
    }));

const readCells = (db: DatabaseSync): readonly SavedCell[] =>
  db
    .prepare('SELECT id, definition, window_start, group_json, state_json FROM cells ORDER BY id')
    .all()
    .map((row) => ({
      id: Number(row['id']),
      definition: String(row['definition']),
      windowStart: Number(row['window_start']),
      group: JSON.parse(String(row['group_json'])) as Scalar[],
      state: JSON.parse(String(row['state_json'])) as CellState,
    }));

/** All members of a cell's distincts, by set. */
function readMembers(db: DatabaseSync): (cell: number) => readonly (readonly Scalar[])[] {
  const ofCell = db.prepare('SELECT sets_json FROM members WHERE cell = ? ORDER BY rowid');
  return (cell) => {
    const saves = ofCell.all(cell).map((row) => JSON.parse(String(row['sets_json'])) as Scalar[][]);
    return (saves[0] ?? []).map((_, set) => saves.flatMap((sets) => sets[set]!));
  };
}

const readLedgers = (db: DatabaseSync): CheckpointState['ledgers'] =>
  db
    .prepare('SELECT kind, definition, day, name, sums_json FROM ledgers')
    .all()
    .map((row) => ({
      kind: String(row['kind']) as LedgerKind,
      definition: String(row['definition']),
      day: String(row['day']),
      group: String(row['name']),
      sums: JSON.parse(String(row['sums_json'])) as number[],
    }));

const readTallies = (db: DatabaseSync): CheckpointState['tallies'] =>
  db
    .prepare('SELECT topic, day, fate, count FROM tallies')
    .all()
    .map((row) => ({
      topic: String(row['topic']),
      day: String(row['day']),
      fate: String(row['fate']) as Fate,
      count: Number(row['count']),
    }));
