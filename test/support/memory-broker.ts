// A broker in memory, for tests of stages: the port's promises without files, and a place to make it fail.
import type { Topic } from '../../src/contracts/topics.ts';
import {
  type Broker,
  type BrokerRecord,
  type Claim,
  FencedError,
  OffsetOutOfRangeError,
  type OutgoingRecord,
  type PartitionState,
  type ReadBatch,
  type ReadOptions,
  type TopicPartition,
  topicPartition,
} from '../../src/stores/broker/broker.ts';
import { SharedGroups } from './shared-groups.ts';

type Offsets = Map<TopicPartition, number>;

export class MemoryBroker implements Broker {
  readonly recordBytesMax = 1 << 20;
  /** Called before each append and commit; what it throws is the call's fault. */
  before: (call: 'append' | 'commit', records: readonly OutgoingRecord[]) => void = () => {};
  /** Awaited before a claim's append is done: a process that is frozen there wakes up later. */
  hold: ((owner: string) => Promise<void>) | null = null;
  readonly #claims = new Map<string, Claim>();
  readonly #sharing = new SharedGroups();
  readonly #logs = new Map<TopicPartition, BrokerRecord[]>();
  readonly #groups = new Map<string, Offsets>();
  #woken = Promise.withResolvers<void>();

  // Functions of the object itself, so that a test can spread it and replace one.
  /** Records of a topic, by partition then offset. */
  records = (topic: string): readonly BrokerRecord[] => {
    return this.#partitionsOf(topic).flatMap((partition) => this.#log(topic, partition));
  };

  createTopics = async (topics: readonly Topic[]): Promise<void> => {
    for (const { name, partitions } of topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const key = topicPartition(name, partition);
        if (!this.#logs.has(key)) this.#logs.set(key, []);
      }
    }
  };

  append = async (records: readonly OutgoingRecord[]): Promise<void> => {
    this.before('append', records);
    for (const record of records) {
      const log = this.#log(record.topic, record.partition);
      log.push({ ...record, offset: log.length, timestamp: record.timestamp ?? 0 });
    }
    this.#wake();
  };

  /** A claim's appends are looked at again after `before`, where a test may let another one claim. */
  claim = async (owner: string, partitions: readonly TopicPartition[]): Promise<Claim> => {
    const claim: Claim = {
      append: async (records) => {
        const strange = records.find(
          (record) => !claimed.has(topicPartition(record.topic, record.partition)),
        );
        if (strange) throw new Error(`${strange.topic}/${strange.partition} is not claimed`);
        await this.hold?.(owner);
        if (this.#claims.get(owner) !== claim) throw new FencedError(owner);
        await this.append(records);
      },
    };
    const claimed = new Set(partitions);
    this.#claims.set(owner, claim);
    return claim;
  };

  /** Hands everything that a reader of a group has to the others, as when it is silent for too long. */
  expel = (group: string, which = 0): void => {
    this.#sharing.expel(group, which);
    this.#wake();
  };

  async *#readShared(options: ReadOptions): AsyncGenerator<ReadBatch> {
    const { group, topics, signal } = options;
    const all = topics.flatMap((topic) =>
      this.#partitionsOf(topic).map((partition) => topicPartition(topic, partition)),
    );
    const member = this.#sharing.join(group, all);
    const leave = () => {
      this.#sharing.leave(group, member);
      this.#wake();
    };
    signal.addEventListener('abort', leave);
    this.#wake();
    try {
      const next: Offsets = new Map();
      while (!signal.aborted) {
        const wake = this.#woken.promise;
        const { gained, lost } = this.#sharing.settle(group, member);
        if (lost.length > 0) this.#wake();
        for (const key of lost) next.delete(key);
        if (gained.length > 0) {
          for (const [key, offset] of await this.#startOffsets(options, gained)) next.set(key, offset);
        }
        const batch = this.#nextBatch(next, options);
        if (signal.aborted) return;
        if (batch) yield { ...batch, ack: () => this.#ackShared(options, member, batch) };
        else await Promise.race([wake, aborted(signal)]);
      }
    } finally {
      leave();
    }
  }

  async #ackShared({ group }: ReadOptions, member: object, batch: ReadBatch): Promise<void> {
    const after = new Map(
      batch.records.map(({ topic, partition, offset }) => [topicPartition(topic, partition), offset + 1]),
    );
    for (const key of after.keys()) if (!this.#sharing.has(member, key)) after.delete(key);
    await this.commit(group, after);
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  async *#read(options: ReadOptions): AsyncGenerator<ReadBatch> {
    const next = await this.#startOffsets(options);
    for (;;) {
      const wake = this.#woken.promise;
      const batch = this.#nextBatch(next, options);
      if (options.signal.aborted) return;
      if (batch) yield batch;
      else await Promise.race([wake, aborted(options.signal)]);
    }
  }

  partitions = async (topic: string): Promise<readonly PartitionState[]> => {
    return this.#partitionsOf(topic).map((partition) => {
      const log = this.#log(topic, partition);
      return { topic, partition, topicId: topic, start: 0, end: log.length, tail: log.at(-1) ?? null };
    });
  };

  offsetAt = async (topic: string, partition: number, timeMs: number): Promise<number> => {
    const log = this.#log(topic, partition);
    const found = log.findIndex(({ timestamp }) => timestamp >= timeMs);
    return found === -1 ? log.length : found;
  };

  committed = async (group: string): Promise<ReadonlyMap<TopicPartition, number>> => {
    return new Map(this.#groups.get(group));
  };

  commit = async (group: string, offsets: ReadonlyMap<TopicPartition, number>): Promise<void> => {
    this.before('commit', []);
    this.#groups.set(group, new Map([...(this.#groups.get(group) ?? []), ...offsets]));
  };

  close = async (): Promise<void> => {};

  read = (options: ReadOptions): AsyncIterable<ReadBatch> =>
    options.shared ? this.#readShared(options) : this.#read(options);

  #log(topic: string, partition: number): BrokerRecord[] {
    const log = this.#logs.get(topicPartition(topic, partition));
    if (log === undefined) throw new Error(`no partition ${topic}/${partition}`);
    return log;
  }

  #partitionsOf(topic: string): readonly number[] {
    const keys = [...this.#logs.keys()].filter((key) => key.startsWith(`${topic}/`));
    return keys.map((key) => Number(key.split('/')[1]));
  }

  async #startOffsets(
    { topics, group, from = new Map() }: ReadOptions,
    assigned: readonly TopicPartition[] = topics.flatMap((topic) =>
      this.#partitionsOf(topic).map((partition) => topicPartition(topic, partition)),
    ),
  ): Promise<Offsets> {
    const given = typeof from === 'function' ? await from(assigned) : from;
    return new Map(
      assigned.map((key) => {
        const offset = given.get(key) ?? this.#groups.get(group)?.get(key) ?? 0;
        const end = this.#logs.get(key)!.length;
        const [topic, partition] = key.split('/') as [string, string];
        if (offset > end) throw new OffsetOutOfRangeError(topic, Number(partition), offset, 0, end);
        return [key, offset];
      }),
    );
  }

  #nextBatch(next: Offsets, { recordsMax = 500, group }: ReadOptions): ReadBatch | null {
    const records: BrokerRecord[] = [];
    for (const [key, offset] of next) {
      const found = this.#logs.get(key)!.slice(offset, offset + recordsMax - records.length);
      records.push(...found);
      next.set(key, offset + found.length);
    }
    const reached = new Map(next);
    const lag = new Map([...next].map(([key, offset]) => [key, this.#logs.get(key)!.length - offset]));
    return records.length === 0 ? null : { records, lag, ack: () => this.commit(group, reached) };
  }
}

export function memoryBroker(topics: readonly Topic[]): MemoryBroker {
  const broker = new MemoryBroker();
  void broker.createTopics(topics);
  return broker;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
