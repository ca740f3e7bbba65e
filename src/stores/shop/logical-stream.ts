import type { Clock } from '../../lib/clock.ts';
import type { ChangeSet, RowChange } from './changes.ts';
import { type Begin, PgoutputDecoder, type PgoutputHandler } from './pgoutput.ts';
import type { ReplicationConnection, StreamHandler } from './replication-connection.ts';

/**
 * A transaction is delivered in parts of so many rows, or of so many bytes of rows. Positions depend on it: never
 * change it for a live log.
 */
const PART_ROWS = 20_000;
const PART_BYTES = 4 << 20;
/** The server is asked for a sign of life each second. */
const SILENCE_MS_MAX = 20_000;
/** Received and not yet taken: beyond this the socket is paused. */
const QUEUED_BYTES_MAX = 8 << 20;
/** With so much at hand there is nothing to wait for. */
const LINGER_BYTES_MAX = 256 << 10;

/** Turns a slot's messages into change sets, kept until they are taken; bounded by pausing the socket. */
export class LogicalStream implements StreamHandler, PgoutputHandler {
  readonly #connection: ReplicationConnection;
  readonly #decoder: PgoutputDecoder;
  readonly #clock: Clock;
  readonly #lingerMs: number;
  #sets: ChangeSet[] = [];
  #queuedBytes = 0;
  #paused = false;
  #fault: Error | null = null;
  #wake: (() => void) | null = null;
  #transaction: Begin | null = null;
  #changes: RowChange[] = [];
  #changesBytes = 0;
  #part = 0;
  #heardAt: number;
  #seen = 0n;

  constructor(
    connection: ReplicationConnection,
    wanted: Readonly<Record<string, readonly string[]>>,
    clock: Clock,
    lingerMs: number,
  ) {
    this.#connection = connection;
    this.#decoder = new PgoutputDecoder(wanted, this);
    this.#clock = clock;
    this.#lingerMs = lingerMs;
    this.#heardAt = clock.now();
  }

  message(bytes: Buffer, at: number): void {
    // What follows a message that could not be read must not be taken without it.
    if (this.#fault) return;
    this.#heardAt = this.#clock.now();
    this.#queuedBytes += bytes.length;
    try {
      this.#decoder.decode(bytes, at);
    } catch (error) {
      this.end(error as Error);
    }
    if (this.#queuedBytes > QUEUED_BYTES_MAX && !this.#paused) {
      this.#paused = true;
      this.#connection.pause();
      this.#wake?.();
    }
  }

  begin(begin: Begin): void {
    this.#transaction = begin;
    this.#part = 0;
  }

  change(change: RowChange, bytes: number): void {
    this.#changes.push(change);
    this.#changesBytes += bytes;
    if (this.#changes.length >= PART_ROWS || this.#changesBytes >= PART_BYTES) this.#push(false, 0n);
  }

  commit(end: bigint): void {
    this.#push(true, end);
    this.#transaction = null;
  }

  #push(last: boolean, ackTo: bigint): void {
    const { commit, xid, committedAt } = this.#transaction!;
    const part = this.#part++;
    const id = part === 0 ? xid : `${xid}.${part}`;
    this.#sets.push({ commit, part, last, ackTo, xid: id, committedAt, changes: this.#changes });
    this.#changes = [];
    this.#changesBytes = 0;
    if (ackTo > this.#seen) this.#seen = ackTo;
    this.#wake?.();
  }

  /** A sign of life: a quiet database acknowledges what other databases write, and holds no log back. */
  keepalive(walEnd: bigint): void {
    this.#heardAt = this.#clock.now();
    if (this.#transaction !== null || walEnd <= this.#seen) return;
    this.#seen = walEnd;
    const now = this.#clock.now();
    const life = {
      // A commit record may begin at that very byte: this place is just before it.
      commit: walEnd - 1n,
      part: 0,
      last: true,
      ackTo: walEnd,
      xid: '',
      committedAt: now,
      changes: [],
    };
    if (this.#sets.at(-1)?.xid === '') this.#sets.pop();
    this.#sets.push(life);
    this.#wake?.();
  }

  end(error: Error): void {
    this.#fault ??= error;
    this.#wake?.();
  }

  ack(ackTo: bigint): void {
    this.#connection.ack(ackTo);
  }

  async *batches(signal: AbortSignal): AsyncIterable<readonly ChangeSet[]> {
    const abort = () => this.#wake?.();
    signal.addEventListener('abort', abort);
    try {
      while (!signal.aborted) {
        if (this.#sets.length === 0) {
          if (this.#fault) throw this.#fault;
          if (this.#paused) this.#resume();
          await this.#change(signal);
          this.#listen();
          continue;
        }
        if (this.#queuedBytes < LINGER_BYTES_MAX) await this.#clock.sleep(this.#lingerMs, signal);
        const sets = this.#sets;
        this.#sets = [];
        this.#resume();
        yield sets;
      }
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  #resume(): void {
    this.#queuedBytes = 0;
    if (!this.#paused) return;
    this.#paused = false;
    this.#connection.resume();
  }

  /** A host that vanished without a word closes no connection. */
  #listen(): void {
    const silentMs = this.#clock.now() - this.#heardAt;
    if (silentMs < SILENCE_MS_MAX) return;
    const message = `the shop's server has said nothing for ${Math.round(silentMs / 1000)} s`;
    this.#fault ??= Object.assign(new Error(message), { retryable: true });
  }

  /** Resolves when there is something to look at, or after a while. */
  #change(signal: AbortSignal): Promise<void> {
    const woken = new AbortController();
    this.#wake = () => {
      this.#wake = null;
      woken.abort();
    };
    if (signal.aborted) this.#wake();
    return this.#clock.sleep(SILENCE_MS_MAX, woken.signal);
  }
}
