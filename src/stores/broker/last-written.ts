import { HEADERS } from '../../contracts/topics.ts';
import { type Broker, type BrokerRecord, type PartitionState, topicPartition } from './broker.ts';

/** How far before the tail is looked at first; doubled until a record is found. */
const STEP_RECORDS = 1_000;

/**
 * The newest record of each partition that its own writer wrote: replayed dead letters, which say nothing about how
 * far the writer came, are passed over. null where there is none. By partition number.
 */
export async function lastWritten(
  broker: Pick<Broker, 'partitions' | 'read'>,
  topic: string,
): Promise<readonly (BrokerRecord | null)[]> {
  const partitions = await broker.partitions(topic);
  return Promise.all(
    partitions.map((state) => (isReplay(state.tail) ? searchBack(broker, state, STEP_RECORDS) : state.tail)),
  );
}

const isReplay = (record: BrokerRecord | null): boolean => record?.headers[HEADERS.replayOf] !== undefined;

async function searchBack(
  broker: Pick<Broker, 'read'>,
  state: PartitionState,
  records: number,
): Promise<BrokerRecord | null> {
  const { topic, partition, start, end, tail } = state;
  const first = Math.max(start, end - records);
  const done = new AbortController();
  // Only this partition is looked at, the others' records are passed over.
  const from = new Map([[topicPartition(topic, partition), first]]);
  let found: BrokerRecord | null = null;
  read: for await (const batch of broker.read({
    topics: [topic],
    group: 'tools',
    from,
    signal: done.signal,
  })) {
    for (const record of batch.records) {
      if (record.partition !== partition) continue;
      if (!isReplay(record)) found = record;
      if (record.offset >= tail!.offset) break read;
    }
  }
  done.abort();
  return found ?? (first > start ? searchBack(broker, state, records * 2) : null);
}
