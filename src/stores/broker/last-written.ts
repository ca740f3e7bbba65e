import { HEADERS } from '../../contracts/topics.ts';
import { type Broker, type BrokerRecord, type PartitionState, topicPartition } from './broker.ts';

/** How far before the tail is looked at first; doubled until a record is found. */
const STEP_RECORDS = 1_000;

/**
 * The newest record of each partition that its own writer wrote: replayed dead letters, which say nothing about how
 * far the writer came, are passed over. null where there is none. By partition number. `passed` is the header that
 * tells them: every replay has `replay_of`, and only one that was sent by an operator has `replay_for`.
 */
export async function lastWritten(
  broker: Pick<Broker, 'partitions' | 'read'>,
  topic: string,
  passed: typeof HEADERS.replayOf | typeof HEADERS.replayFor = HEADERS.replayOf,
): Promise<readonly (BrokerRecord | null)[]> {
  const partitions = await broker.partitions(topic);
  const isPassed: Passed = (record) => record?.headers[passed] !== undefined;
  return Promise.all(
    partitions.map((state) =>
      isPassed(state.tail) ? searchBack(broker, state, isPassed, STEP_RECORDS) : state.tail,
    ),
  );
}

type Passed = (record: BrokerRecord | null) => boolean;

async function searchBack(
  broker: Pick<Broker, 'read'>,
  state: PartitionState,
  isPassed: Passed,
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
      if (!isPassed(record)) found = record;
      if (record.offset >= tail!.offset) break read;
    }
  }
  done.abort();
  return found ?? (first > start ? searchBack(broker, state, isPassed, records * 2) : null);
}
