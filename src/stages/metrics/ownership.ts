// One process computes the metrics: whoever starts last takes what they are written to.
import { TOPICS } from '../../contracts/topics.ts';
import { UserError } from '../../lib/errors.ts';
import {
  type Broker,
  type Claim,
  FencedError,
  type TopicPartition,
  topicPartition,
} from '../../stores/broker/broker.ts';

const OWNER = 'instashop-metrics';
const CLAIMED = [TOPICS.metrics, TOPICS.deadLetters].flatMap(({ name, partitions }) =>
  Array.from({ length: partitions }, (_, partition) => topicPartition(name, partition)),
);

/** The sole right to append to `metrics` and `dead_letters`, and to `more`. */
export const claimMetrics = (
  broker: Pick<Broker, 'claim'>,
  more: readonly TopicPartition[] = [],
): Promise<Claim> => broker.claim(OWNER, [...CLAIMED, ...more]);

/** What ends the stage: that another one took over is a UserError, for trying again would only take it back. */
export const endingOf = (error: unknown): unknown =>
  error instanceof FencedError
    ? new UserError(`${error.message}: it computes the metrics now`, 'Run stage metrics in one process only.')
    : error;
