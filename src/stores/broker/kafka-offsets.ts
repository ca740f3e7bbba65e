// Places in the log: where partitions start and end, what a group has committed.
import { listOffsetsV7, offsetCommitV8, offsetFetchV8 } from '@platformatic/kafka';
import { type TopicPartition, topicPartition } from './broker.ts';
import { type KafkaClient, missingTopic } from './kafka-client.ts';
import { CODE, faultOf } from './kafka-faults.ts';

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

/** Timestamps that Kafka understands as places. */
export const EARLIEST = -2n;
export const LATEST = -1n;

export function placeOf(name: TopicPartition): Place {
  const slash = name.lastIndexOf('/');
  return { topic: name.slice(0, slash), partition: Number(name.slice(slash + 1)) };
}

/** All partitions of these topics. A UserError when one does not exist. */
export async function allPlaces(client: KafkaClient, topics: readonly string[]): Promise<readonly Place[]> {
  const infos = await client.existing(topics);
  return topics.flatMap((topic) => infos.get(topic)!.leaders.map((_, partition) => ({ topic, partition })));
}

/**
 * The first offset of each place whose timestamp is at or after `time`; absent where there is none (with LATEST and
 * EARLIEST there is always one).
 */
export async function findOffsets(
  client: KafkaClient,
  places: readonly Place[],
  time: bigint,
): Promise<ReadonlyMap<TopicPartition, number>> {
  const found = new Map<TopicPartition, number>();
  let open = places;
  await client.retrying(async () => {
    const infos = await client.existing([...new Set(open.map(({ topic }) => topic))]);
    const leaderOf = ({ topic, partition }: Place): number => {
      const leader = infos.get(topic)!.leaders[partition];
      if (leader === undefined) throw missingTopic(`${topic}/${partition}`);
      if (leader < 0) throw faultOf(CODE.leaderNotAvailable, `read ${topic}/${partition}`, null);
      return leader;
    };
    await Promise.all(
      Array.from(Map.groupBy(open, leaderOf), ([node, of]) => findAt(client, node, of, time, found)),
    ).finally(() => {
      open = open.filter(({ topic, partition }) => !found.has(topicPartition(topic, partition)));
    });
  });
  return new Map([...found].filter(([, offset]) => offset >= 0));
}

async function findAt(
  client: KafkaClient,
  node: number,
  places: readonly Place[],
  time: bigint,
  found: Map<TopicPartition, number>,
): Promise<void> {
  const topics = Array.from(
    Map.groupBy(places, ({ topic }) => topic),
    ([name, of]) => ({
      name,
      partitions: of.map(({ partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: -1,
        timestamp: time,
      })),
    }),
  );
  const answer = await client.send(client.addressOf(node), listOffsetsV7.api, -1, 0, topics);
  let fault: Error | null = null;
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset } of partitions) {
      if (errorCode === CODE.none) found.set(topicPartition(name, partitionIndex), Number(offset));
      else fault = faultOf(errorCode, `read ${name}/${partitionIndex}`, client.user);
    }
  }
  if (fault) throw fault;
}

export async function committedOffsets(
  client: KafkaClient,
  group: string,
): Promise<ReadonlyMap<TopicPartition, number>> {
  const { groups } = await client.askCoordinator(
    ['group', group],
    `read the offsets of ${group}`,
    ({ groups: [found] }) => found!.errorCode,
    offsetFetchV8.api,
    [{ groupId: group, memberEpoch: -1, topics: null }],
    false,
  );
  return new Map(
    groups[0]!.topics
      .flatMap(({ name, partitions }) =>
        partitions.map(
          ({ partitionIndex, committedOffset }) =>
            [topicPartition(name, partitionIndex), Number(committedOffset)] as const,
        ),
      )
      .filter(([, offset]) => offset >= 0),
  );
}

/** Who commits: a member of the group, or nobody in particular (then the group must have no members). */
export interface Committer {
  readonly generation: number;
  readonly member: string;
}
export const NO_MEMBER: Committer = { generation: -1, member: '' };

/** One attempt; rejects with a fault that says by its code what became of the membership. */
export async function commitOnce(
  client: KafkaClient,
  group: string,
  { generation, member }: Committer,
  offsets: ReadonlyMap<TopicPartition, number>,
): Promise<void> {
  const places = Array.from(offsets, ([name, offset]) => ({ ...placeOf(name), offset }));
  const topics = Array.from(
    Map.groupBy(places, ({ topic }) => topic),
    ([name, of]) => ({
      name,
      partitions: of.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }),
  );
  await client.atCoordinator(['group', group], async (address) => {
    const answer = await client.send(address, offsetCommitV8.api, group, generation, member, null, topics);
    const code = answer.topics
      .flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
      .find((errorCode) => errorCode !== CODE.none);
    if (code !== undefined) throw faultOf(code, `commit the offsets of ${group}`, client.user);
  });
}
