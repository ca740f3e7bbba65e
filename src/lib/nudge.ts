import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from 'node:fs';
import type { Log } from './log.ts';

/** Tells every process that holds the same nudge file that something changed. */
export interface Nudge {
  /** Call it after the change can be seen. Never throws: whoever waits looks for himself now and then. */
  send(): void;
  close(): void;
}

const BYTE = Buffer.from('.');

/**
 * Opens the nudge file. `onNudge` is called soon after a `send` of any process, this one included, once for several
 * in quick succession.
 *
 * A file of its own, because watching a database's -wal file comes too early: SQLite writes that before the
 * commit can be seen, and nothing is written after.
 */
export function openNudge(path: string, onNudge: () => void, log: Log): Nudge {
  const file = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o644);
  const send = () => {
    try {
      writeSync(file, BYTE, 0, 1, 0);
    } catch {
      // A full disk: the waiting ones look for themselves.
    }
  };
  // Now, so that no later nudge needs room on the disk.
  send();
  let watcher: FSWatcher | null = null;
  try {
    watcher = watch(path, { persistent: false }, onNudge);
    watcher.on('error', (error) => log.warn('changes by other processes are seen late', { error }));
  } catch (error) {
    log.warn('cannot watch: changes by other processes are seen late', { path, error });
  }
  return {
    send,
    close() {
      watcher?.close();
      closeSync(file);
    },
  };
}
