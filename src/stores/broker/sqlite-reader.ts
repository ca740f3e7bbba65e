// Reading on from a place in many partitions, a bounded batch at a time, in which every partition has its share.
import type { StatementSync } from 'node:sqlite';
import {
  type BrokerRecord,
  type Headers,
  OffsetOutOfRangeError,
  type ReadBatch,
  type ReadOptions,
  type TopicPartition,
} from './broker.ts';
import type { Partition, SqliteLog } from './sqlite-log.ts';

const RECORDS_MAX = 2_000;
const BYTES_MAX = 2 << 20;
/** Rows of one select: a few, so that large records do not fill the memory before their bytes are counted. */
const SELECT_MAX = 64;
const NO_HEADERS: Headers = Object.freeze({});

type Row = readonly [number, number, string | null, string | null, Uint8Array];

const toRecord = (
  { topic, partition }: Partition,
  [offset, timestamp, key, headers, value]: Row,
): BrokerRecord => ({
  topic,
  partition,
  key,
  value: Buffer.from(value.buffer, value.byteOffset, value.byteLength),
  headers: headers === null ? NO_HEADERS : (JSON.parse(headers) as Headers),
  offset,
  timestamp,
});

/** The newest record of a partition, null when there is none. */
export function readTail(log: SqliteLog, partition: Partition): BrokerRecord | null {
  const row = log.prepare(`SELECT * FROM ${partition.table} ORDER BY "offset" DESC LIMIT 1`).get();
  return row === undefined ? null : toRecord(partition, row as unknown as Row);
}

interface Position {
  readonly partition: Partition;
  readonly select: StatementSync;
  next: number;
}

/** What a batch may still hold. */
interface Room {
  records: number;
  bytes: number;
}

type Commit = (offsets: ReadonlyMap<Partition, number>) => Promise<void>;

export class SqliteReader {
  readonly #log: SqliteLog;
  readonly #positions: readonly Position[];
  readonly #room: Readonly<Room>;
  readonly #commit: Commit;
  /** Handed out and not acknowledged yet: the place after it. */
  readonly #handed = new Map<Partition, number>();
  /** Which partition is first in the next batch. */
  #first = 0;

  /** `committed`: the group's offsets. Throws OffsetOutOfRangeError for a place that is not in the log. */
  constructor(
    log: SqliteLog,
    options: Pick<ReadOptions, 'topics' | 'recordsMax' | 'bytesMax'> & {
      readonly from: ReadonlyMap<TopicPartition, number>;
    },
    committed: ReadonlyMap<TopicPartition, number>,
    commit: Commit,
  ) {
    this.#log = log;
    this.#commit = commit;
    this.#room = { records: options.recordsMax ?? RECORDS_MAX, bytes: options.bytesMax ?? BYTES_MAX };
    const partitions = options.topics.flatMap((topic) => log.partitions(topic));
    this.#positions = log.snapshot(() =>
      partitions.map((partition) => {
        const next = options.from.get(partition.name) ?? committed.get(partition.name) ?? partition.start;
        assertInRange(partition, next);
        const select = log.prepare(
          `SELECT * FROM ${partition.table} WHERE "offset" >= ? ORDER BY "offset" LIMIT ?`,
        );
        return { partition, select, next };
      }),
    );
  }

  /** null: everything is read. */
  next(): ReadBatch | null {
    if (this.#behind().length === 0) return null;
    const records: BrokerRecord[] = [];
    this.#log.snapshot(() => {
      const room = { ...this.#room };
      const behind = this.#behind();
      for (const [index, position] of behind.entries()) {
        assertInRange(position.partition, position.next);
        const left = behind.length - index;
        const share = { records: Math.ceil(room.records / left), bytes: room.bytes / left };
        if (!this.#take(position, share, room, records)) continue;
        this.#handed.set(position.partition, position.next);
      }
    });
    this.#first = (this.#first + 1) % this.#positions.length;
    const lag = new Map(this.#positions.map(({ partition, next }) => [partition.name, partition.end - next]));
    const reached = new Map(this.#handed);
    return { records, lag, ack: () => this.#acknowledge(reached) };
  }

  async #acknowledge(reached: ReadonlyMap<Partition, number>): Promise<void> {
    await this.#commit(reached);
    for (const [partition, next] of reached) {
      if (this.#handed.get(partition) === next) this.#handed.delete(partition);
    }
  }

  #behind(): readonly Position[] {
    const { length } = this.#positions;
    const behind: Position[] = [];
    for (let i = 0; i < length; i++) {
      const position = this.#positions[(this.#first + i) % length]!;
      if (position.next < position.partition.end) behind.push(position);
    }
    return behind;
  }

  /** Moves the partition's share into `records`: at least one record if the batch has room for it. */
  #take(position: Position, share: Room, room: Room, records: BrokerRecord[]): boolean {
    const { partition, select, next } = position;
    for (let rows = SELECT_MAX; rows === SELECT_MAX; ) {
      const found = select.all(
        position.next,
        Math.min(share.records, SELECT_MAX),
      ) as unknown as readonly Row[];
      rows = found.length;
      for (const row of found) {
        const [offset, , key, headers, value] = row;
        const bytes = value.byteLength + (key?.length ?? 0) + (headers?.length ?? 0);
        const fits = bytes <= room.bytes && (bytes <= share.bytes || position.next === next);
        if (!fits && records.length > 0) return position.next > next;
        records.push(toRecord(partition, row));
        position.next = offset + 1;
        room.records--;
        room.bytes -= bytes;
        share.records--;
        share.bytes -= bytes;
      }
    }
    return position.next > next;
  }
}

function assertInRange({ topic, partition, start, end }: Partition, offset: number): void {
  if (offset < start || offset > end) throw new OffsetOutOfRangeError(topic, partition, offset, start, end);
}
