// What our SQLite files have in common: how they are opened, made, and what their faults mean.
import { DatabaseSync } from 'node:sqlite';
import { UserError } from './errors.ts';

/** How long a statement waits for another process's transaction; this process stands still meanwhile. */
const BUSY_MS = 1_000;
const OPEN_ATTEMPTS_MAX = 10;

const CORRUPT = 11;
const NOT_A_DATABASE = 26;
/** Busy, locked, failing disk, full disk, cannot be opened just now (result codes of sqlite3.h). */
const PASSING = new Set([5, 6, 10, 13, 14]);

export interface SqliteFile {
  readonly path: string;
  /** Tells our kinds of file apart (PRAGMA application_id). */
  readonly kind: number;
  /** Of the tables; another number is another version's file (PRAGMA user_version). */
  readonly format: number;
  /** Makes the tables of a new file. */
  readonly schema: string;
  /** Settings of the connection. */
  readonly pragmas: string;
  /** What to do about a file that cannot be used. */
  readonly remedy: string;
}

/**
 * Opens the file in WAL mode and makes it when it is missing, also when other processes do so at the same time.
 * A damaged file, or one of another kind or format, is a UserError.
 */
export function openSqlite(file: SqliteFile): DatabaseSync {
  for (let attempt = 1; ; attempt++) {
    try {
      return open(file);
    } catch (error) {
      // Turning on WAL mode does not always wait for a process that does the same.
      if (resultCode(error) !== 5 || attempt === OPEN_ATTEMPTS_MAX) throw sqliteFault(error, file);
    }
  }
}

function open(file: SqliteFile): DatabaseSync {
  const db = new DatabaseSync(file.path, { timeout: BUSY_MS });
  try {
    db.exec(`PRAGMA journal_mode = WAL; ${file.pragmas}`);
    const number = (sql: string): number => Number(Object.values(db.prepare(sql).get()!)[0]);
    transaction(db, () => {
      if (number('SELECT count(*) FROM sqlite_schema') === 0) {
        db.exec(`PRAGMA application_id = ${file.kind}; PRAGMA user_version = ${file.format}; ${file.schema}`);
      }
      const [kind, format] = [number('PRAGMA application_id'), number('PRAGMA user_version')];
      if (kind === file.kind && format === file.format) return;
      throw new UserError(
        kind === file.kind
          ? `${file.path} has format ${format}, this version reads format ${file.format}`
          : `${file.path} is not a file of ours`,
        file.remedy,
      );
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Runs the action in one write transaction; when it throws, nothing of it is kept. */
export function transaction<T>(db: DatabaseSync, action: () => T): T {
  db.exec('BEGIN IMMEDIATE');
  try {
    const result = action();
    db.exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk may have rolled back already.
    if (db.isTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

const resultCode = (error: unknown): number | null => {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === 'number' ? code & 0xff : null;
};

/** Whether the error is another process holding the write lock for longer than a statement waits. */
export const isBusy = (error: unknown): boolean => resultCode(error) === 5;

/** The error as the rest of the system understands it: marked retryable where it passes, a UserError for damage. */
export function sqliteFault(error: unknown, file: Pick<SqliteFile, 'path' | 'remedy'>): unknown {
  const code = resultCode(error);
  if (code === null) return error;
  if (code === CORRUPT || code === NOT_A_DATABASE) {
    return new UserError(`${file.path} is damaged (${(error as Error).message})`, file.remedy);
  }
  return PASSING.has(code) ? Object.assign(error as Error, { retryable: true }) : error;
}
