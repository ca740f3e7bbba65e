import { type Broker, type BrokerRecord, type TopicPartition, topicPartition } from './broker.ts';

/** Records of a partition looked at, at most: the newest ones. */
const RECORDS_MAX = 100_000;

/**
 * Visits what a topic holds now, up to the tails as they are at the call, in offset order within each partition; of
 * very long partitions only the newest 100,000 offsets. Commits nothing. Resolves with how many older offsets were not
 * looked at.
 */
export async function readTopic(
  broker: Pick<Broker, 'read' | 'partitions'>,
  topic: string,
  visit: (record: BrokerRecord) => Promise<void>,
): Promise<number> {
  let passedOver = 0;
  const tails = new Map<TopicPartition, number>();
  const from = new Map<TopicPartition, number>();
  for (const { partition, start, end, tail } of await broker.partitions(topic)) {
    const key = topicPartition(topic, partition);
    const first = Math.max(start, end - RECORDS_MAX);
    from.set(key, tail === null ? end : first);
    if (tail !== null) passedOver += first - start;
    if (tail !== null) tails.set(key, tail.offset);
  }
  if (tails.size === 0) return passedOver;
  const done = new AbortController();
  for await (const batch of broker.read({ topics: [topic], group: 'tools', from, signal: done.signal })) {
    for (const record of batch.records) {
      const key = topicPartition(topic, record.partition);
      const tail = tails.get(key);
      if (tail === undefined || record.offset > tail) continue;
      await visit(record);
      if (record.offset === tail) tails.delete(key);
    }
    if (tails.size === 0) break;
  }
  done.abort();
  return passedOver;
}
