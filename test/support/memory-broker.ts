// A broker in memory, for tests of stages: the port's promises without files, and a place to make it fail.
import type { Topic } from '../../src/contracts/topics.ts';
import {
  type Broker,
  type BrokerRecord,
  OffsetOutOfRangeError,
  type OutgoingRecord,
  type ReadBatch,
  type ReadOptions,
  type TopicPartition,
  topicPartition,
} from '../../src/stores/broker/broker.ts';

export interface MemoryBroker extends Broker {
  /** Records of a topic, by partition then offset. */
  records(topic: string): readonly BrokerRecord[];
  /** Called before each append and commit; what it throws is the call's fault. */
  before: (call: 'append' | 'commit', records: readonly OutgoingRecord[]) => void;
}

export function memoryBroker(topics: readonly Topic[]): MemoryBroker {
  const logs = new Map<TopicPartition, BrokerRecord[]>();
  const groups = new Map<string, Map<TopicPartition, number>>();
  let woken = Promise.withResolvers<void>();
  const logOf = (topic: string, partition: number) => {
    const log = logs.get(topicPartition(topic, partition));
    if (log === undefined) throw new Error(`no partition ${topic}/${partition}`);
    return log;
  };
  const partitionsOf = (topic: string) =>
    [...logs.keys()].filter((key) => key.startsWith(`${topic}/`)).map((key) => Number(key.split('/')[1]));

  const broker: MemoryBroker = {
    recordBytesMax: 1 << 20,
    before() {},
    records: (topic) => partitionsOf(topic).flatMap((partition) => logOf(topic, partition)),
    createTopics: async (wanted) => {
      for (const { name, partitions } of wanted) {
        for (let p = 0; p < partitions; p++) {
          const key = topicPartition(name, p);
          if (!logs.has(key)) logs.set(key, []);
        }
      }
    },
    append: async (records) => {
      broker.before('append', records);
      for (const record of records) {
        const log = logOf(record.topic, record.partition);
        log.push({ ...record, offset: log.length, timestamp: record.timestamp ?? 0 });
      }
      woken.resolve();
      woken = Promise.withResolvers();
    },
    async *read(options) {
      const next = startOffsets(options);
      for (;;) {
        const wake = woken.promise;
        const batch = nextBatch(next, options);
        if (options.signal.aborted) return;
        if (batch) yield batch;
        else await Promise.race([wake, aborted(options.signal)]);
      }
    },
    partitions: async (topic) =>
      partitionsOf(topic).map((partition) => {
        const log = logOf(topic, partition);
        return { topic, partition, topicId: topic, start: 0, end: log.length, tail: log.at(-1) ?? null };
      }),
    offsetAt: async (topic, partition, timeMs) => {
      const found = logOf(topic, partition).findIndex(({ timestamp }) => timestamp >= timeMs);
      return found === -1 ? logOf(topic, partition).length : found;
    },
    committed: async (group) => new Map(groups.get(group)),
    commit: async (group, offsets) => {
      broker.before('commit', []);
      groups.set(group, new Map([...(groups.get(group) ?? []), ...offsets]));
    },
    close: async () => {},
  };

  const startOffsets = ({ topics: names, group, from }: ReadOptions) => {
    const next = new Map<TopicPartition, number>();
    for (const topic of names) {
      for (const partition of partitionsOf(topic)) {
        const key = topicPartition(topic, partition);
        const offset = from?.get(key) ?? groups.get(group)?.get(key) ?? 0;
        const end = logOf(topic, partition).length;
        if (offset > end) throw new OffsetOutOfRangeError(topic, partition, offset, 0, end);
        next.set(key, offset);
      }
    }
    return next;
  };

  const nextBatch = (next: Map<TopicPartition, number>, options: ReadOptions): ReadBatch | null => {
    const records: BrokerRecord[] = [];
    for (const [key, offset] of next) {
      const found = logs.get(key)!.slice(offset, offset + (options.recordsMax ?? 500) - records.length);
      records.push(...found);
      next.set(key, offset + found.length);
    }
    const reached = new Map(next);
    const lag = new Map([...next].map(([key, offset]) => [key, logs.get(key)!.length - offset]));
    return records.length === 0 ? null : { records, lag, ack: () => broker.commit(options.group, reached) };
  };

  broker.createTopics(topics);
  return broker;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
