// One process at a time for a stage of a data folder. SQLite's file lock goes with its process, kill -9 included.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { UserError } from '../lib/errors.ts';

export interface Lock {
  release(): void;
}

/** An open file that nobody refers to would be collected, and its lock with it. */
const held = new Set<DatabaseSync>();

/**
 * Takes the lock `name` of the data folder. Rejects with a UserError that names the process which has it; `who` is
 * what that process is called.
 */
export function takeLock(dataDir: string, name: string, who = name): Lock {
  const dir = join(dataDir, 'locks');
  mkdirSync(dir, { recursive: true });
  const holder = join(dir, `${name}.pid`);
  const db = new DatabaseSync(join(dir, `${name}.db`), { timeout: 0 });
  try {
    db.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== 5) throw error;
    throw new UserError(
      `${who} runs already on ${dataDir}, in process ${readPid(holder)}`,
      'Stop it first (Ctrl-C there), or use another folder: --data-dir',
    );
  }
  held.add(db);
  writeFileSync(holder, String(process.pid));
  return {
    release() {
      if (held.delete(db)) db.close();
    },
  };
}

/** Takes all of the locks, or none. */
export function takeLocks(dataDir: string, names: readonly string[], who?: string): Lock {
  const taken: Lock[] = [];
  const release = () => {
    for (const lock of taken) lock.release();
  };
  try {
    for (const name of names) taken.push(takeLock(dataDir, name, who));
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

/** The process that has one of the locks, null where all are free. Takes and leaves nothing. */
export function lockHolder(dataDir: string, names: readonly string[]): string | null {
  if (!existsSync(join(dataDir, 'locks'))) return null;
  for (const name of names) {
    try {
      takeLock(dataDir, name, name).release();
    } catch (error) {
      if (error instanceof UserError) return readPid(join(dataDir, 'locks', `${name}.pid`));
      throw error;
    }
  }
  return null;
}

function readPid(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return 'unknown';
  }
}
