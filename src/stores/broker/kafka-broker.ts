// The broker for a cluster: Apache Kafka, by its wire protocol.
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { CAPTURE_STATE_TOPIC, SPARK_WINDOWS_TOPIC, TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type {
  Broker,
  Claim,
  OutgoingRecord,
  PartitionState,
  ReadBatch,
  ReadOptions,
  TopicPartition,
} from './broker.ts';
import { topicPartition } from './broker.ts';
import { createTopics } from './kafka-admin.ts';
import { claimPartitions, KafkaClaim } from './kafka-claim.ts';
import { KafkaClient } from './kafka-client.ts';
import { commitOnce, committedOffsets, findOffsets, LATEST, NO_MEMBER } from './kafka-offsets.ts';
import { freeNumbering, KafkaProducer } from './kafka-producer.ts';
import { Reading } from './kafka-reading.ts';
import { partitionStates } from './kafka-tails.ts';

const DAY_MS = 86_400_000;
const RETENTION_MS = 7 * DAY_MS;
const RETENTION_BYTES = 2 ** 30;
const RECORD_BYTES_MAX = 1_000_000;

export interface KafkaBrokerOptions {
  /** host:port of one or more brokers; the others are found through them. */
  readonly brokers: readonly string[];
  /** SCRAM-SHA-256, or null for listeners without users. */
  readonly auth: { readonly user: string; readonly password: string } | null;
  readonly tls: boolean;
  /** How the servers' logs name this client. */
  readonly clientId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** For topics that are made by this instance. Default 7 days. */
  readonly retentionMs?: number;
  /** Of a topic, all partitions together. Default 1 GiB. */
  readonly retentionBytes?: number;
  readonly recordBytesMax?: number;
}

/**
 * Connects with the first call, not before. Every call rejects with a UserError when the user, its password or its
 * rights are wrong, within seconds. Close it in the end.
 */
export function kafkaBroker(options: KafkaBrokerOptions): Broker {
  return new KafkaBroker(options);
}

class KafkaBroker implements Broker {
  readonly recordBytesMax: number;
  readonly #options: KafkaBrokerOptions;
  readonly #client: KafkaClient;
  readonly #producer: KafkaProducer;
  readonly #claims = new Map<string, KafkaClaim>();
  readonly #readings = new Set<Reading>();
  readonly #closing = new AbortController();

  constructor(options: KafkaBrokerOptions) {
    this.recordBytesMax = options.recordBytesMax ?? RECORD_BYTES_MAX;
    this.#options = options;
    this.#client = new KafkaClient(options);
    this.#producer = new KafkaProducer(this.#client, freeNumbering(this.#client), this.recordBytesMax);
  }

  createTopics(topics: Parameters<Broker['createTopics']>[0]): Promise<void> {
    return createTopics(this.#client, topics, {
      retentionMs: this.#options.retentionMs ?? RETENTION_MS,
      retentionBytes: this.#options.retentionBytes ?? RETENTION_BYTES,
      recordBytesMax: this.recordBytesMax,
      // The store keeps an hour; what is older is in the engine's checkpoint.
      retentionMsByTopic: {
        [TOPICS.metrics.name]: 2 * METRICS_TTL_MS,
        // What the metrics stage has not read of it after so long, Spark counts for it anew.
        [SPARK_WINDOWS_TOPIC.name]: DAY_MS,
      },
      // A standby that was away for a while must still find every change, not only each key's newest.
      compactionLagMsByTopic: {
        [CAPTURE_STATE_TOPIC.name]: DAY_MS,
        // Its batches are read whole, unless the metrics stage is further behind than that.
        [SPARK_WINDOWS_TOPIC.name]: 600_000,
      },
    });
  }

  append(records: readonly OutgoingRecord[]): Promise<void> {
    return this.#producer.append(records);
  }

  async claim(owner: string, partitions: readonly TopicPartition[]): Promise<Claim> {
    const producer = await claimPartitions(this.#client, owner, partitions);
    const claim = new KafkaClaim(this.#client, owner, partitions, producer, this.recordBytesMax);
    this.#claims.get(owner)?.end();
    this.#claims.set(owner, claim);
    return claim;
  }

  read(options: ReadOptions): AsyncIterable<ReadBatch> {
    return this.#read(options);
  }

  async *#read(options: ReadOptions): AsyncGenerator<ReadBatch> {
    const reading = new Reading(this.#client, options, this.#closing.signal);
    this.#readings.add(reading);
    try {
      yield* reading.batches();
    } finally {
      await reading.end();
      this.#readings.delete(reading);
    }
  }

  partitions(topic: string): Promise<readonly PartitionState[]> {
    return partitionStates(this.#client, topic);
  }

  async offsetAt(topic: string, partition: number, timeMs: number): Promise<number> {
    const places = [{ topic, partition }];
    const name = topicPartition(topic, partition);
    const found = (await findOffsets(this.#client, places, BigInt(timeMs))).get(name);
    return found ?? (await findOffsets(this.#client, places, LATEST)).get(name)!;
  }

  committed(group: string): Promise<ReadonlyMap<TopicPartition, number>> {
    return committedOffsets(this.#client, group);
  }

  async commit(group: string, offsets: ReadonlyMap<TopicPartition, number>): Promise<void> {
    if (offsets.size > 0) await this.#commit(group, offsets);
  }

  #commit(group: string, offsets: ReadonlyMap<TopicPartition, number>): Promise<void> {
    return this.#client.retrying(() => commitOnce(this.#client, group, NO_MEMBER, offsets));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const producers = [this.#producer, ...this.#claims.values()];
    await Promise.all([
      ...producers.map((producer) => producer.close()),
      ...Array.from(this.#readings, (reading) => reading.end()),
    ]);
    this.#client.close();
  }
}
