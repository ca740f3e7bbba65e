// What a topic holds: its partitions' ends, and the newest record of each.
import type { BrokerRecord, PartitionState } from './broker.ts';
import { topicPartition } from './broker.ts';
import { fetchRecords } from './kafka-apis.ts';
import { type KafkaClient, REQUEST_TIMEOUT_MS, type TopicInfo } from './kafka-client.ts';
import type { Connections } from './kafka-connections.ts';
import { decodeBatch, splitBatches } from './kafka-decode.ts';
import { CODE, faultOf } from './kafka-faults.ts';
import { allPlaces, EARLIEST, findOffsets, LATEST, type Place } from './kafka-offsets.ts';

/** How far before the end is looked first; doubled while nothing but markers and gaps are found. */
const STEP_OFFSETS = 8;
const PARTITION_BYTES_MAX = 256 << 10;

export async function partitionStates(
  client: KafkaClient,
  topic: string,
): Promise<readonly PartitionState[]> {
  const places = await allPlaces(client, [topic]);
  // The start last: what retention takes meanwhile must not be looked for.
  const ends = await findOffsets(client, places, LATEST);
  const starts = await findOffsets(client, places, EARLIEST);
  const connections = client.connections(REQUEST_TIMEOUT_MS);
  try {
    return await Promise.all(
      places.map(async (place) => {
        const name = topicPartition(topic, place.partition);
        const [start, end] = [starts.get(name)!, Math.max(starts.get(name)!, ends.get(name)!)];
        return client.retrying(async () => {
          const info = (await client.existing([topic])).get(topic)!;
          const tail = await readTail(client, connections, info, place, start, end);
          return { topic, partition: place.partition, topicId: info.id, start, end, tail };
        });
      }),
    );
  } finally {
    connections.close();
  }
}

async function readTail(
  client: KafkaClient,
  connections: Connections,
  info: TopicInfo,
  place: Place,
  start: number,
  end: number,
): Promise<BrokerRecord | null> {
  for (let steps = STEP_OFFSETS, to = end; to > start; steps *= 2) {
    const from = Math.max(start, end - steps);
    const found = await lastRecord(client, connections, info, place, from, to);
    // Kept alone: the value is a view into its whole batch.
    if (found) return { ...found, value: Buffer.from(found.value) };
    to = from;
  }
  return null;
}

/** The last record of [from, to), null when there is none. */
async function lastRecord(
  client: KafkaClient,
  connections: Connections,
  info: TopicInfo,
  { topic, partition }: Place,
  from: number,
  to: number,
): Promise<BrokerRecord | null> {
  let last: BrokerRecord | null = null;
  for (let offset = from; offset < to; ) {
    const limits = { waitMs: 0, bytesMax: PARTITION_BYTES_MAX, partitionBytesMax: PARTITION_BYTES_MAX };
    const topics = [{ id: info.id, partitions: [{ partition, offset }] }];
    const address = client.addressOf(info.leaders[partition]!);
    const [fetched] = await connections.send(address, fetchRecords, limits, topics);
    const code = fetched?.code ?? CODE.leaderNotAvailable;
    if (code !== CODE.none) throw faultOf(code, `read ${topic}/${partition}`, client.user);
    const { batches, next } = splitBatches(fetched!.data);
    for (const batch of batches) {
      if (batch.firstOffset >= to) break;
      const records = decodeBatch(batch, topic, partition, offset).filter((record) => record.offset < to);
      last = records.at(-1) ?? last;
    }
    if (next === null || next <= offset) break;
    offset = next;
  }
  return last;
}
