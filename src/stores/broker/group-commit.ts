// Work that comes in the same turn of the event loop shares one transaction, and so one wait for the disk.
import { isBusy } from '../../lib/sqlite.ts';
import type { GroupOffsets, StoredRecord } from './sqlite-log.ts';

/** A transaction takes calls until it holds this much; a single larger call still goes whole. */
const GROUP_BYTES_MAX = 4 << 20;
/** Each attempt waits for the write lock as long as lib/sqlite.ts says. */
const ATTEMPTS_MAX = 10;

/** One call: records to append, or offsets to commit. */
export interface Work {
  readonly records: readonly StoredRecord[];
  readonly bytes: number;
  readonly commit: GroupOffsets | null;
}

interface Waiting extends Work {
  readonly done: PromiseWithResolvers<void>;
}

export class GroupCommit {
  readonly #write: (group: readonly Work[]) => void;
  /** Bounded by the callers: each holds its own records and waits. */
  #queue: Waiting[] = [];
  #attempts = 0;
  #idle = Promise.withResolvers<void>();

  /** `write` does all of a group or throws and has done nothing. */
  constructor(write: (group: readonly Work[]) => void) {
    this.#write = write;
    this.#idle.resolve();
  }

  /** Resolves when the work is done. Work is done in the order of the calls. */
  add(work: Work): Promise<void> {
    const done = Promise.withResolvers<void>();
    if (this.#queue.length === 0) {
      this.#idle = Promise.withResolvers();
      setImmediate(() => this.#flush());
    }
    this.#queue.push({ ...work, done });
    return done.promise;
  }

  /** Resolves when nothing waits. */
  idle(): Promise<void> {
    return this.#idle.promise;
  }

  #flush(): void {
    const group = this.#next();
    this.#attempts++;
    let fault: unknown = null;
    try {
      this.#write(group);
    } catch (error) {
      fault = error;
    }
    if (!isBusy(fault) || this.#attempts === ATTEMPTS_MAX) this.#settle(group, fault);
    if (this.#queue.length > 0) setImmediate(() => this.#flush());
    else this.#idle.resolve();
  }

  #settle(group: readonly Waiting[], fault: unknown): void {
    this.#attempts = 0;
    this.#queue = this.#queue.slice(group.length);
    for (const { done } of group) {
      if (fault === null) done.resolve();
      else done.reject(fault);
    }
  }

  #next(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#queue.findIndex((work) => {
      bytes += work.bytes;
      return bytes > GROUP_BYTES_MAX;
    });
    return this.#queue.slice(0, end === -1 ? undefined : Math.max(end, 1));
  }
}
