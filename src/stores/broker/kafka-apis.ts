// The two requests that carry records, with the records as raw bytes.
import { createAPI, type Reader, Writer } from '@platformatic/kafka';
import { CODE } from './kafka-faults.ts';

export interface TopicBatches {
  readonly name: string;
  readonly partitions: readonly { readonly partition: number; readonly batch: Buffer }[];
}

export interface Produced {
  readonly topic: string;
  readonly partition: number;
  readonly code: number;
}

const ALL_REPLICAS = -1;

/** Appends encoded batches, one a partition; answered when all in-sync replicas have them. */
export const produce = createAPI<[timeoutMs: number, topics: readonly TopicBatches[]], readonly Produced[]>(
  0,
  11,
  (timeoutMs: number, topics: readonly TopicBatches[]) =>
    Writer.create()
      .appendString(null)
      .appendInt16(ALL_REPLICAS)
      .appendInt32(timeoutMs)
      .appendArray([...topics], (writer, { name, partitions }) => {
        writer.appendString(name).appendArray([...partitions], (w, { partition, batch }) => {
          w.appendInt32(partition).appendBytes(batch);
        });
      })
      .appendTaggedFields(),
  (_correlation, _api, _version, reader) => readProduced(reader),
);

function readProduced(reader: Reader): readonly Produced[] {
  const produced: Produced[] = [];
  readEach(reader, () => {
    const topic = reader.readString();
    readEach(reader, () => {
      const partition = reader.readInt32();
      const code = reader.readInt16();
      reader.skip(24);
      readEach(reader, () => {
        reader.readInt32();
        reader.readNullableString();
      });
      reader.readNullableString();
      produced.push({ topic, partition, code });
    });
  });
  return produced;
}

export interface FetchTopic {
  readonly id: string;
  readonly partitions: readonly { readonly partition: number; readonly offset: number }[];
}

export interface Fetched {
  readonly topicId: string;
  readonly partition: number;
  readonly code: number;
  readonly highWatermark: number;
  readonly data: Buffer;
}

export interface FetchLimits {
  readonly waitMs: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
}

/** Reads from offsets on; waits up to `waitMs` for the first record. */
export const fetchRecords = createAPI<
  [limits: FetchLimits, topics: readonly FetchTopic[]],
  readonly Fetched[]
>(
  1,
  16,
  ({ waitMs, bytesMax, partitionBytesMax }: FetchLimits, topics: readonly FetchTopic[]) =>
    Writer.create()
      .appendInt32(waitMs)
      .appendInt32(1)
      .appendInt32(bytesMax)
      .appendInt8(0)
      .appendInt32(0)
      .appendInt32(-1)
      .appendArray([...topics], (writer, { id, partitions }) => {
        writer.appendUUID(id).appendArray([...partitions], (w, { partition, offset }) => {
          w.appendInt32(partition)
            .appendInt32(-1)
            .appendInt64(BigInt(offset))
            .appendInt32(-1)
            .appendInt64(-1n)
            .appendInt32(partitionBytesMax);
        });
      })
      .appendArray([], () => {})
      .appendString('')
      .appendTaggedFields(),
  (_correlation, _api, _version, reader) => readFetched(reader),
);

const NOTHING = Buffer.alloc(0);

function readFetched(reader: Reader): readonly Fetched[] {
  reader.readInt32();
  const refused = reader.readInt16();
  if (refused !== CODE.none) throw new Error(`the fetch was refused (error ${refused})`);
  reader.readInt32();
  const fetched: Fetched[] = [];
  readEach(reader, () => {
    const topicId = reader.readUUID();
    readEach(reader, () => {
      const partition = reader.readInt32();
      const code = reader.readInt16();
      const highWatermark = Number(reader.readInt64());
      reader.skip(16);
      readEach(reader, () => reader.skip(16));
      reader.readInt32();
      const length = reader.readUnsignedVarInt() - 1;
      const data = length > 0 ? reader.buffer.slice(reader.position, reader.position + length) : NOTHING;
      if (length > 0) reader.skip(length);
      fetched.push({
        topicId,
        partition,
        code,
        highWatermark,
        data,
      });
    });
  });
  return fetched;
}

/** A compact array (null: nothing), each element followed by its tagged fields. */
function readEach(reader: Reader, read: () => void): void {
  const count = reader.readUnsignedVarInt() - 1;
  for (let i = 0; i < count; i++) {
    read();
    reader.readTaggedFields();
  }
}
