// Decoder of the logical replication stream's pgoutput messages, protocol version 1, text format.
// Source: PostgreSQL documentation, "Logical Replication Message Formats".
import { UserError } from '../../lib/errors.ts';
import type { Row, RowChange } from './changes.ts';

/** Microseconds between 1970-01-01 and PostgreSQL's epoch, 2000-01-01. */
const POSTGRES_EPOCH_US = 946_684_800_000_000n;

export interface Begin {
  readonly commit: bigint;
  readonly committedAt: number;
  readonly xid: string;
}

/** Called in stream order; rows of tables or columns that nobody asked for never show. */
export interface PgoutputHandler {
  begin(begin: Begin): void;
  /** `bytes`: of the row's message. */
  change(change: RowChange, bytes: number): void;
  /** `end`: first byte after the commit, what is to be acknowledged. */
  commit(end: bigint): void;
}

interface Relation {
  readonly table: string;
  /** Column name, or null for a column to pass over. */
  readonly columns: readonly (string | null)[];
}

const B = 0x42;
const C = 0x43;
const D = 0x44;
const I = 0x49;
const K = 0x4b;
const N = 0x4e;
const O = 0x4f;
const R = 0x52;
const T = 0x54;
const U = 0x55;
const LOWER_N = 0x6e;
const LOWER_U = 0x75;

/** Keeps the stream's relations, so one decoder serves one connection. */
export class PgoutputDecoder {
  readonly #wanted: Readonly<Record<string, readonly string[]>>;
  readonly #handler: PgoutputHandler;
  readonly #relations = new Map<number, Relation | null>();
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;

  /** `wanted`: columns by table. A wanted column that a table lacks is simply absent from its rows. */
  constructor(wanted: Readonly<Record<string, readonly string[]>>, handler: PgoutputHandler) {
    this.#wanted = wanted;
    this.#handler = handler;
  }

  /** Decodes one message, which begins at `at`. The bytes are not used after the call. */
  decode(bytes: Buffer, at: number): void {
    this.#bytes = bytes;
    this.#at = at + 1;
    switch (bytes[at]) {
      case I:
      case U:
      case D:
        return this.#row(bytes[at] as typeof I | typeof U | typeof D);
      case B:
        return this.#handler.begin({
          commit: bytes.readBigUInt64BE(at + 1),
          committedAt: Number((bytes.readBigInt64BE(at + 9) + POSTGRES_EPOCH_US) / 1000n),
          xid: String(bytes.readUInt32BE(at + 17)),
        });
      case C:
        return this.#handler.commit(bytes.readBigUInt64BE(at + 10));
      case R:
        return this.#relation();
      case T:
        return this.#truncate();
      default:
      // Type, origin and logical messages say nothing about rows.
    }
  }

  #int32(): number {
    this.#at += 4;
    return this.#bytes.readInt32BE(this.#at - 4);
  }

  #int16(): number {
    this.#at += 2;
    return this.#bytes.readInt16BE(this.#at - 2);
  }

  #text(): string {
    const end = this.#bytes.indexOf(0, this.#at);
    const text = this.#bytes.toString('utf8', this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #relation(): void {
    const id = this.#int32();
    this.#text();
    const table = this.#text();
    this.#at++;
    const wanted = this.#wanted[table];
    const columns = Array.from({ length: this.#int16() }, () => {
      this.#at++;
      const name = this.#text();
      this.#at += 8;
      return wanted?.includes(name) ? name : null;
    });
    this.#relations.set(id, wanted ? { table, columns } : null);
  }

  #truncate(): void {
    const count = this.#int32();
    this.#at++;
    for (let i = 0; i < count; i++) {
      const relation = this.#relations.get(this.#int32());
      if (relation) {
        this.#handler.change({ table: relation.table, kind: 'truncate', before: null, after: null }, 0);
      }
    }
  }

  #row(tag: typeof I | typeof U | typeof D): void {
    const start = this.#at;
    const id = this.#int32();
    const relation = this.#relations.get(id);
    if (relation === null) return;
    if (relation === undefined)
      throw new UserError(`unknown relation ${id} in the stream`, 'Restart capture.');
    const { table } = relation;
    let marker = this.#bytes[this.#at++];
    let before: Row | null = null;
    if (marker === K || marker === O) {
      before = this.#tuple(relation.columns);
      marker = tag === D ? marker : this.#bytes[this.#at++];
    }
    const after = marker === N ? this.#tuple(relation.columns) : null;
    const kind = tag === I ? 'insert' : tag === U ? 'update' : 'delete';
    this.#handler.change({ table, kind, before, after }, this.#at - start);
  }

  #tuple(columns: readonly (string | null)[]): Row {
    const bytes = this.#bytes;
    const row: Record<string, string | null> = {};
    const count = bytes.readInt16BE(this.#at);
    let at = this.#at + 2;
    for (let i = 0; i < count; i++) {
      const kind = bytes[at++];
      const name = columns[i];
      if (kind === LOWER_N) {
        if (name) row[name] = null;
      } else if (kind !== LOWER_U) {
        const length = bytes.readInt32BE(at);
        at += 4;
        if (name) row[name] = bytes.toString('utf8', at, at + length);
        at += length;
      }
    }
    this.#at = at;
    return row;
  }
}
