// Taking partitions over so that whoever had them before can write nothing more: docs/04-broker.md tells the protocol.
import { addPartitionsToTxnV3, endTxnV4, initProducerIdV4 } from '@platformatic/kafka';
import { isRetryable } from '../../lib/retry.ts';
import {
  type Claim,
  FencedError,
  type OutgoingRecord,
  type TopicPartition,
  topicPartition,
} from './broker.ts';
import type { KafkaClient } from './kafka-client.ts';
import type { ProducerId } from './kafka-encode.ts';
import { CODE, codeOf } from './kafka-faults.ts';
import { KafkaProducer } from './kafka-producer.ts';

/** A claimer that dies half-way leaves a transaction open for so long; nobody but readers of `read_committed` waits. */
const TRANSACTION_TIMEOUT_MS = 15_000;
const NO_ID = -1n;
const NO_EPOCH = -1;

/** Resolves once nothing of an earlier claim of `owner` can enter the partitions. */
export async function claimPartitions(
  client: KafkaClient,
  owner: string,
  partitions: readonly TopicPartition[],
): Promise<ProducerId> {
  try {
    const first = await nextEpoch(client, owner, { id: NO_ID, epoch: NO_EPOCH });
    if (partitions.length === 0) return first;
    await markPartitions(client, owner, first, partitions);
    // With the id and epoch at hand: had somebody else claimed meanwhile, this is refused instead of taking over again.
    return await nextEpoch(client, owner, first);
  } catch (error) {
    throw isFenced(error) ? new FencedError(owner) : error;
  }
}

/** The coordinator gives out the next epoch, after ending what a transaction of the last one left open. */
async function nextEpoch(client: KafkaClient, owner: string, known: ProducerId): Promise<ProducerId> {
  const { producerId, producerEpoch } = await client.askCoordinator(
    ['transaction', owner],
    `claim as ${owner}`,
    ({ errorCode }) => errorCode,
    initProducerIdV4.api,
    owner,
    TRANSACTION_TIMEOUT_MS,
    known.id,
    known.epoch,
  );
  return { id: producerId, epoch: producerEpoch };
}

/** An empty transaction, aborted: its end is written into every partition, with the new epoch, at all replicas. */
async function markPartitions(
  client: KafkaClient,
  owner: string,
  { id, epoch }: ProducerId,
  partitions: readonly TopicPartition[],
): Promise<void> {
  await client.askCoordinator(
    ['transaction', owner],
    `claim ${partitions.join(', ')} as ${owner}`,
    ({ resultsByTransaction }) => {
      const codes = resultsByTransaction
        .flatMap(({ topicResults }) => topicResults.flatMap((topic) => topic.resultsByPartition))
        .map((partition) => partition.partitionErrorCode);
      return codes.find((code) => code !== CODE.none && code !== NOT_ATTEMPTED) ?? CODE.none;
    },
    addPartitionsToTxnV3.api,
    [
      {
        transactionalId: owner,
        producerId: id,
        producerEpoch: epoch,
        verifyOnly: false,
        topics: byTopic(partitions),
      },
    ],
  );
  await client.askCoordinator(
    ['transaction', owner],
    `claim as ${owner}`,
    ({ errorCode }) => errorCode,
    endTxnV4.api,
    owner,
    id,
    epoch,
    false,
  );
}

/** Said of the partitions beside one that was refused. */
const NOT_ATTEMPTED = 55;

const FENCED = new Set<number | null>([
  CODE.invalidProducerEpoch,
  CODE.producerFenced,
  CODE.invalidProducerIdMapping,
]);
const isFenced = (error: unknown): boolean => FENCED.has(codeOf(error));

function byTopic(partitions: readonly TopicPartition[]): { name: string; partitions: number[] }[] {
  const split = partitions.map((name) => {
    const slash = name.lastIndexOf('/');
    return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) };
  });
  return Array.from(
    Map.groupBy(split, ({ topic }) => topic),
    ([name, of]) => ({ name, partitions: of.map(({ partition }) => partition) }),
  );
}

/**
 * Appends with a claim's numbers. Once an append was given up the claim is spent, for nobody knows whether its last
 * records are in the log: later ones reject with FencedError until it is claimed anew, which settles that.
 */
export class KafkaClaim implements Claim {
  readonly #producer: KafkaProducer;
  readonly #partitions: ReadonlySet<TopicPartition>;
  readonly #owner: string;

  constructor(
    client: KafkaClient,
    owner: string,
    partitions: readonly TopicPartition[],
    producer: ProducerId,
    recordBytesMax: number,
  ) {
    this.#owner = owner;
    this.#partitions = new Set(partitions);
    const spent = (error: unknown): Error =>
      error instanceof Error && !isRetryable(error) && codeOf(error) === null
        ? error
        : new FencedError(owner);
    this.#producer = new KafkaProducer(client, { producer: async () => producer, spent }, recordBytesMax);
  }

  async append(records: readonly OutgoingRecord[]): Promise<void> {
    const foreign = records.find(
      (record) => !this.#partitions.has(topicPartition(record.topic, record.partition)),
    );
    if (foreign) throw new Error(`${this.#owner} has not claimed ${foreign.topic}/${foreign.partition}`);
    await this.#producer.append(records);
  }

  /** Somebody has claimed anew: nothing of this claim is waited for any more. */
  end(): void {
    this.#producer.end(new FencedError(this.#owner));
  }

  close(): Promise<void> {
    return this.#producer.close();
  }
}
