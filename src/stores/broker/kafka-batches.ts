// What waits to be sent, by partition, and the calls that wait for it.
import type { OutgoingRecord } from './broker.ts';
import type { ProducerId } from './kafka-encode.ts';

/** Uncompressed; a single larger record is a batch of its own. */
const BATCH_BYTES_MAX = 500_000;

/** An append that is done when all its records are. */
export interface Call {
  records: number;
  readonly done: PromiseWithResolvers<void>;
}

/** Records of one call for one partition. The call holds them in memory anyway, so nothing is copied here. */
export interface Part {
  readonly call: Call;
  readonly records: OutgoingRecord[];
  readonly bytes: number[];
  /** How many of them are in a batch. */
  taken: number;
}

/** Numbered once, and sent with these numbers until the broker has it. */
export interface Batch {
  readonly records: readonly OutgoingRecord[];
  readonly bytes: number;
  /** How many of the records each part has, in order. */
  readonly shares: readonly { readonly part: Part; readonly records: number }[];
  readonly sequence: number;
  readonly encoded: Buffer;
  /** When it was first sent. */
  readonly since: number;
}

export interface Queue {
  readonly topic: string;
  readonly partition: number;
  waiting: Part[];
  /** Taken from `waiting`, first to be sent; more than one only where a batch was split. */
  batches: Batch[];
  /** One send at a time: order and numbers could not be kept otherwise. */
  isBusy: boolean;
  producer: ProducerId | null;
  sequence: number;
  /** Since when every answer was that there is no such topic. */
  unknownSince: number | null;
}

type Encode = (
  records: readonly OutgoingRecord[],
  bytes: number,
  sequence: number,
) => Pick<Batch, 'encoded' | 'since'>;

/** Makes the next batch out of what waits. */
export function nextBatch(queue: Queue, encode: Encode): Batch {
  const records: OutgoingRecord[] = [];
  const shares: { part: Part; records: number }[] = [];
  let bytes = 0;
  let parts = 0;
  fill: for (const part of queue.waiting) {
    const start = part.taken;
    for (; part.taken < part.records.length; part.taken++) {
      const size = part.bytes[part.taken]!;
      if (bytes + size > BATCH_BYTES_MAX && records.length > 0) {
        if (part.taken > start) shares.push({ part, records: part.taken - start });
        break fill;
      }
      records.push(part.records[part.taken]!);
      bytes += size;
    }
    shares.push({ part, records: part.taken - start });
    parts++;
  }
  queue.waiting = queue.waiting.slice(parts);
  const { sequence } = queue;
  queue.sequence = (sequence + records.length) % 2 ** 31;
  return { records, bytes, shares, sequence, ...encode(records, bytes, sequence) };
}

/**
 * Two batches of the same records and numbers, for a topic that takes less at once than we send; null for a single
 * record.
 */
export function splitBatch(batch: Batch, encode: Encode): readonly Batch[] | null {
  const { records, shares, sequence } = batch;
  if (records.length < 2) return null;
  const middle = records.length >> 1;
  let left = middle;
  const first = shares.flatMap(({ part, records: count }) => {
    const taken = Math.min(count, left);
    left -= taken;
    return taken > 0 ? [{ part, records: taken }] : [];
  });
  let passed = middle;
  const second = shares.flatMap(({ part, records: count }) => {
    const skipped = Math.min(count, passed);
    passed -= skipped;
    return count > skipped ? [{ part, records: count - skipped }] : [];
  });
  const half = (part: readonly OutgoingRecord[], of: Batch['shares'], from: number): Batch => {
    const bytes = batch.bytes;
    return { records: part, bytes, shares: of, sequence: from, ...encode(part, bytes, from) };
  };
  return [
    half(records.slice(0, middle), first, sequence),
    half(records.slice(middle), second, (sequence + middle) % 2 ** 31),
  ];
}

/** The batch is in the log: calls of which it was the last are done. */
export function settle({ shares }: Batch): void {
  for (const { part, records } of shares) {
    part.call.records -= records;
    if (part.call.records === 0) part.call.done.resolve();
  }
}

/** Rejects every call that has records in the queue, and empties it. */
export function abandon(queue: Queue, error: unknown): void {
  for (const { shares } of queue.batches) for (const { part } of shares) part.call.done.reject(error);
  for (const { call } of queue.waiting) call.done.reject(error);
  queue.batches = [];
  queue.waiting = [];
}
