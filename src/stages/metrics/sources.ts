// Where the partitions of the event topics stand when a run begins.
import type { MetricDefinition } from '../../contracts/metrics.ts';
import { EVENT_TOPICS } from '../../contracts/topics.ts';
import { UserError } from '../../lib/errors.ts';
import {
  type Broker,
  LOG_MADE_ANEW_REMEDY,
  type PartitionState,
  topicPartition,
} from '../../stores/broker/broker.ts';
import type { CheckpointState } from './checkpoint.ts';

/** Where a partition is read from, and how much waits there. */
export interface SourceStart {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly nextOffset: number;
  readonly lag: number;
}

/** The event topics that the definitions take from. */
export function topicsOf(definitions: readonly MetricDefinition[]): readonly string[] {
  const read = new Set(definitions.flatMap((definition) => definition.topics));
  return EVENT_TOPICS.map((topic) => topic.name).filter((topic) => read.has(topic));
}

/** Records from `nextOffset` on. What stands at an end and is no record (a claim's mark) waits for nobody. */
export const waiting = ({ tail }: Pick<PartitionState, 'tail'>, nextOffset: number): number =>
  tail === null ? 0 : Math.max(tail.offset + 1 - nextOffset, 0);

/**
 * Every partition of the topics, from the checkpoint's offset or else from its oldest record (never the group's
 * offset). Rejects with a UserError where a topic was made anew since the checkpoint.
 */
export async function sourcesOf(
  broker: Pick<Broker, 'partitions'>,
  topics: readonly string[],
  state: CheckpointState | null,
): Promise<readonly SourceStart[]> {
  const partitions = (await Promise.all(topics.map((topic) => broker.partitions(topic)))).flat();
  const saved = new Map(state?.offsets.map((offset) => [offset.source, offset]));
  return partitions.map(({ topic, partition, topicId, start, tail }) => {
    const offset = saved.get(topicPartition(topic, partition));
    if (offset !== undefined && offset.topicId !== topicId) {
      throw new UserError(
        `topic ${topic} was made anew: the metrics checkpoint belongs to another one`,
        LOG_MADE_ANEW_REMEDY,
      );
    }
    const nextOffset = offset?.nextOffset ?? start;
    return { topic, partition, topicId, nextOffset, lag: waiting({ tail }, nextOffset) };
  });
}
