// What group members tell each other through the coordinator, in the form that Kafka's consumers use.
import {
  decodeConsumerProtocolAssignment,
  decodeConsumerProtocolSubscription,
  encodeConsumerProtocolAssignment,
  encodeConsumerProtocolSubscription,
} from '@platformatic/kafka';
import { type TopicPartition, topicPartition } from './broker.ts';
import type { MemberClaim } from './kafka-assignment.ts';
import { placeOf } from './kafka-offsets.ts';

export const PROTOCOL_TYPE = 'consumer';
export const PROTOCOL = 'cooperative-sticky';
/** The first that tells the generation. */
const VERSION = 2;

interface TopicPartitions {
  readonly topic: string;
  readonly partitions: number[];
}

/** What a member wants to read, and what it has. */
export const claimBytes = (
  topics: readonly string[],
  owned: readonly TopicPartition[],
  generation: number,
): Buffer =>
  encodeConsumerProtocolSubscription({
    version: VERSION,
    topics: [...topics],
    ownedPartitions: grouped(owned),
    generationId: generation,
  });

export function readClaim(id: string, bytes: Buffer): MemberClaim & { readonly topics: readonly string[] } {
  const { topics, ownedPartitions, generationId } = decodeConsumerProtocolSubscription(bytes);
  return { id, topics, generation: generationId, owned: names(ownedPartitions) };
}

export const assignmentBytes = (owned: readonly TopicPartition[]): Buffer =>
  encodeConsumerProtocolAssignment({ version: VERSION, assignedPartitions: grouped(owned) });

export const readAssignment = (bytes: Buffer): readonly TopicPartition[] =>
  names(decodeConsumerProtocolAssignment(bytes).assignedPartitions);

const grouped = (owned: readonly TopicPartition[]): TopicPartitions[] =>
  Array.from(
    Map.groupBy(owned.map(placeOf), ({ topic }) => topic),
    ([topic, of]) => ({ topic, partitions: of.map(({ partition }) => partition) }),
  );

const names = (of: readonly TopicPartitions[]): readonly TopicPartition[] =>
  of.flatMap(({ topic, partitions }) => partitions.map((partition) => topicPartition(topic, partition)));
