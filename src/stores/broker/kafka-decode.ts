// Kafka's record batches as they come in a fetch: headers first, records only when they are wanted.
import { zstdDecompressSync } from 'node:zlib';
import { compressionsAlgorithmsByBitmask, crc32c } from '@platformatic/kafka';
import type { BrokerRecord, Headers } from './broker.ts';

const HEADER_BYTES = 61;
const COMPRESSION_MASK = 7;
const ZSTD = 4;
const LOG_APPEND_TIME = 8;
const CONTROL = 32;
const NO_HEADERS: Headers = Object.freeze({});

/** One batch, not yet decompressed. */
export interface RawBatch {
  readonly bytes: Buffer;
  readonly firstOffset: number;
  readonly lastOffset: number;
}

/**
 * Complete batches with records in `data` (an incomplete last one and control batches are left out), and how far
 * they go.
 */
export function splitBatches(data: Buffer): { readonly batches: RawBatch[]; readonly next: number | null } {
  const batches: RawBatch[] = [];
  let next: number | null = null;
  for (let at = 0; at + HEADER_BYTES <= data.length; ) {
    const end = at + 12 + data.readInt32BE(at + 8);
    if (end > data.length) break;
    const bytes = data.subarray(at, end);
    const firstOffset = readInt64(bytes, 0);
    const lastOffset = firstOffset + bytes.readInt32BE(23);
    if (bytes[16] !== 2) throw new Error(`record batches of format ${bytes[16]} are not known`);
    if ((bytes.readInt16BE(21) & CONTROL) === 0) batches.push({ bytes, firstOffset, lastOffset });
    next = lastOffset + 1;
    at = end;
  }
  return { batches, next };
}

/** Its records from `offset` on. Throws when it is damaged. */
export function decodeBatch(
  { bytes, firstOffset }: RawBatch,
  topic: string,
  partition: number,
  offset: number,
): BrokerRecord[] {
  if (crc32c(bytes.subarray(21)) !== bytes.readUInt32BE(17)) {
    throw new Error(`the batch at offset ${firstOffset} of ${topic}/${partition} is damaged (checksum)`);
  }
  const attributes = bytes.readInt16BE(21);
  const firstTime = readInt64(bytes, 27);
  const appendTime = attributes & LOG_APPEND_TIME ? readInt64(bytes, 35) : null;
  const count = bytes.readInt32BE(57);
  source = decompress(bytes.subarray(HEADER_BYTES), attributes & COMPRESSION_MASK);
  position = 0;
  const records: BrokerRecord[] = [];
  for (let i = 0; i < count; i++) {
    const length = readVarint();
    const end = position + length;
    position++;
    const timestamp = appendTime ?? firstTime + readVarint();
    if (appendTime !== null) readVarint();
    const at = firstOffset + readVarint();
    if (at < offset) {
      position = end;
      continue;
    }
    const key = readText();
    const value = readBytes();
    records.push({ topic, partition, key, value, headers: readHeaders(), offset: at, timestamp });
    position = end;
  }
  source = EMPTY;
  return records;
}

function decompress(data: Buffer, algorithm: number): Buffer {
  if (algorithm === 0) return data;
  if (algorithm === ZSTD) return zstdDecompressSync(data);
  const known = compressionsAlgorithmsByBitmask[algorithm];
  if (!known) throw new Error(`the compression ${algorithm} is not known`);
  return Buffer.from(known.decompressSync(data));
}

// Where the decoding is: in the module rather than in an object, for it is read some ten times a record.
const EMPTY: Buffer = Buffer.alloc(0);
let source = EMPTY;
let position = 0;

function readVarint(): number {
  let byte = source[position++]!;
  if (byte < 128) return byte & 1 ? -(byte + 1) / 2 : byte / 2;
  let value = byte & 127;
  for (let scale = 128; ; scale *= 128) {
    byte = source[position++]!;
    value += (byte & 127) * scale;
    if (byte < 128) break;
  }
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}

function readText(): string | null {
  const length = readVarint();
  if (length < 0) return null;
  const start = position;
  position += length;
  return source.toString('utf8', start, position);
}

function readBytes(): Buffer {
  const length = readVarint();
  if (length <= 0) return EMPTY;
  const start = position;
  position += length;
  return source.subarray(start, position);
}

function readHeaders(): Headers {
  const count = readVarint();
  if (count === 0) return NO_HEADERS;
  const headers: Record<string, string> = {};
  for (let i = 0; i < count; i++) {
    const name = readText() ?? '';
    headers[name] = readText() ?? '';
  }
  return headers;
}

export const readInt64 = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4);
