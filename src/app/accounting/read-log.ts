import {
  type Broker,
  type BrokerRecord,
  type PartitionState,
  type TopicPartition,
  topicPartition,
} from '../../stores/broker/broker.ts';

/** Visits everything between start and tail of these partitions, once, a batch at a time. Commits nothing. */
export async function readPartitions(
  broker: Pick<Broker, 'read'>,
  partitions: readonly PartitionState[],
  visit: (record: BrokerRecord) => void,
): Promise<void> {
  const tails = new Map<TopicPartition, number>();
  const from = new Map<TopicPartition, number>();
  for (const { topic, partition, start, end, tail } of partitions) {
    const name = topicPartition(topic, partition);
    from.set(name, tail === null ? end : start);
    if (tail !== null) tails.set(name, tail.offset);
  }
  if (tails.size === 0) return;
  const waiting = new Map(tails);
  const topics = [...new Set(partitions.map(({ topic }) => topic))];
  const done = new AbortController();
  for await (const { records } of broker.read({ topics, group: 'tools', from, signal: done.signal })) {
    for (const record of records) {
      const name = topicPartition(record.topic, record.partition);
      const tail = tails.get(name);
      if (tail === undefined || record.offset > tail) continue;
      visit(record);
      if (record.offset === tail) waiting.delete(name);
    }
    if (waiting.size === 0) break;
  }
  done.abort();
}

/** The partitions of several topics as they are now. */
export async function statesOf(
  broker: Pick<Broker, 'partitions'>,
  topics: readonly { readonly name: string }[],
): Promise<readonly PartitionState[]> {
  return (await Promise.all(topics.map(({ name }) => broker.partitions(name)))).flat();
}
