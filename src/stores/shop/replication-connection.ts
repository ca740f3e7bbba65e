// A PostgreSQL connection in logical replication mode: commands, and the copy-both stream of a slot.
// Source: PostgreSQL documentation, "Streaming Replication Protocol".
import pg from 'pg';
import type { Clock } from '../../lib/clock.ts';

const POSTGRES_EPOCH_MS = 946_684_800_000;
const XLOG_DATA = 0x77;
const KEEPALIVE = 0x6b;
const STANDBY_STATUS = 0x72;
/** We say this often that we live, also while the socket is paused; */
const STATUS_EVERY_MS = 1_000;
/** silent for so long, as a frozen process is, the server takes the slot from us. */
const SILENT_MS_MAX = 6_000;

export interface StreamHandler {
  /** A message of the output plugin, beginning at `at`. The bytes are not to be kept. */
  message(bytes: Buffer, at: number): void;
  /** Everything before `walEnd` was sent. */
  keepalive(walEnd: bigint): void;
  /** The stream is over: the server ended it or the connection broke. Called once. */
  end(error: Error): void;
}

/** What pg has inside a client and does not declare. */
interface CopyBoth extends NodeJS.EventEmitter {
  sendCopyFromChunk(chunk: Buffer): void;
  readonly stream: { pause(): void; resume(): void; destroy(): void };
}

/** Text of an LSN as a number, and back. */
export const lsnOf = (text: string): bigint => {
  const [high, low] = text.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};
export const lsnText = (lsn: bigint): string =>
  `${(lsn >> 32n).toString(16).toUpperCase()}/${(lsn & 0xffffffffn).toString(16).toUpperCase()}`;

export class ReplicationConnection {
  readonly #clock: Clock;
  readonly #client: pg.Client;
  readonly #connection: CopyBoth;
  #handler: StreamHandler | null = null;
  readonly #ending = new AbortController();
  #acknowledged = 0n;

  constructor(url: string, clock: Clock) {
    this.#clock = clock;
    const config: pg.ClientConfig & { replication: string } = {
      connectionString: url,
      replication: 'database',
      application_name: 'instashop capture',
      options: `-c TimeZone=UTC -c DateStyle=ISO -c extra_float_digits=3 -c wal_sender_timeout=${SILENT_MS_MAX}`,
      connectionTimeoutMillis: 10_000,
      keepAlive: true,
    };
    this.#client = new pg.Client(config);
    this.#connection = (this.#client as unknown as { connection: CopyBoth }).connection;
    this.#client.on('error', (error) => this.#end(error));
  }

  connect(): Promise<void> {
    return this.#client.connect().then(() => {});
  }

  async query(sql: string): Promise<Record<string, string>[]> {
    return (await this.#client.query(sql)).rows;
  }

  /** Starts streaming; resolves when the server has accepted. `from` 0 means what the slot has confirmed. */
  start(slot: string, publication: string, handler: StreamHandler): Promise<void> {
    this.#handler = handler;
    const connection = this.#connection;
    connection.on('copyData', ({ chunk }: { chunk: Buffer }) => this.#copyData(chunk));
    const sql =
      `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 ` +
      `(proto_version '1', publication_names '"${publication}"')`;
    return new Promise((resolve, reject) => {
      connection.once('replicationStart', () => {
        void this.#live();
        resolve();
      });
      this.#client.query(sql).then(
        () => this.#end(new Error('Connection terminated: the server ended the stream')),
        (error) => {
          reject(error);
          this.#end(error);
        },
      );
    });
  }

  #copyData(chunk: Buffer): void {
    if (chunk[0] === XLOG_DATA) return this.#handler?.message(chunk, 25);
    if (chunk[0] !== KEEPALIVE) return;
    this.#handler?.keepalive(chunk.readBigUInt64BE(1));
    if (chunk[17] === 1) this.#sendStatus(false);
  }

  /** Says that we live, and asks for a sign of life: how far the server has looked, while nothing of ours happens. */
  async #live(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      this.#sendStatus(true);
      await this.#clock.sleep(STATUS_EVERY_MS, this.#ending.signal);
    }
  }

  /** Tells the server that everything before `lsn` is durable with us: it may forget it. */
  ack(lsn: bigint): void {
    if (lsn <= this.#acknowledged) return;
    this.#acknowledged = lsn;
    this.#sendStatus(false);
  }

  #sendStatus(answer: boolean): void {
    if (this.#ending.signal.aborted) return;
    const status = Buffer.alloc(34);
    status[0] = STANDBY_STATUS;
    status.writeBigUInt64BE(this.#acknowledged, 1);
    status.writeBigUInt64BE(this.#acknowledged, 9);
    status.writeBigUInt64BE(this.#acknowledged, 17);
    status.writeBigInt64BE(BigInt(this.#clock.now() - POSTGRES_EPOCH_MS) * 1000n, 25);
    status[33] = answer ? 1 : 0;
    this.#connection.sendCopyFromChunk(status);
  }

  pause(): void {
    this.#connection.stream.pause();
  }

  resume(): void {
    this.#connection.stream.resume();
  }

  #end(error: Error): void {
    if (this.#ending.signal.aborted) return;
    this.#ending.abort();
    this.#handler?.end(error);
  }

  /** Drops the connection; the server releases the slot at once. */
  close(): void {
    this.#ending.abort();
    this.#connection.stream.destroy();
  }
}
