// What each Kafka user may do. Everything else is refused: the brokers deny by default.
import {
  CAPTURE_STATE_TOPIC,
  CAPTURED_TOPICS,
  EVENT_TOPICS,
  SPARK_WINDOWS_TOPIC,
  TOPICS,
} from '../../contracts/topics.ts';
import type { Rule } from '../../stores/broker/kafka-acls.ts';
import { CLUSTER_TOPICS } from '../profiles/cluster.ts';

interface Rights {
  readonly reads?: readonly { readonly name: string }[];
  readonly writes?: readonly { readonly name: string }[];
  /** Consumer groups it is a member of. */
  readonly groups?: readonly string[];
  /** Consumer groups whose offsets it may look at. */
  readonly looksAt?: readonly string[];
  /** Names by which it takes over partitions (claims); they begin so. */
  readonly owners?: readonly string[];
}

const { transactions, transactionItems, metrics, stageHealth, deadLetters, deadLetterReplays } = TOPICS;

/** By user. Each process also says how it is, in stage_health. */
export const RIGHTS: Readonly<Record<string, Rights>> = {
  'instashop-generator': {},
  'instashop-capture': {
    reads: [...CAPTURED_TOPICS, CAPTURE_STATE_TOPIC],
    writes: [...CAPTURED_TOPICS, CAPTURE_STATE_TOPIC, deadLetters],
    groups: ['capture'],
    owners: ['instashop-capture-'],
  },
  'instashop-enrichment': {
    reads: [transactions, transactionItems],
    writes: [transactionItems, deadLetters],
    groups: ['enrichment'],
    owners: ['instashop-enrichment-'],
  },
  'instashop-loader': { reads: EVENT_TOPICS, writes: [deadLetters], groups: ['loader'] },
  'instashop-metrics': {
    reads: [...EVENT_TOPICS, SPARK_WINDOWS_TOPIC],
    // The last one to see whether it still owns the metrics.
    writes: [metrics, deadLetters, SPARK_WINDOWS_TOPIC],
    groups: ['metrics'],
    owners: ['instashop-metrics'],
  },
  /** Not a stage: Spark's driver and executors. */
  'instashop-spark': { reads: EVENT_TOPICS, writes: [SPARK_WINDOWS_TOPIC] },
  'instashop-publisher': { reads: [metrics, stageHealth], writes: [deadLetters], groups: ['publisher'] },
  'instashop-dashboard': {},
  'instashop-operator': {
    reads: CLUSTER_TOPICS,
    // Dead letters are sent again to where they came from.
    writes: [...EVENT_TOPICS, metrics, deadLetterReplays],
    looksAt: ['enrichment', 'loader', 'metrics', 'publisher'],
  },
};

/** Readers that keep no offsets go by this group. */
const TOOLS = 'tools';

/** The rules of all users. */
export const rulesOf = (rights: Readonly<Record<string, Rights>>): readonly Rule[] =>
  Object.entries(rights).flatMap(
    ([user, { reads = [], writes = [], groups = [], looksAt = [], owners = [] }]) => [
      ...reads.map(({ name }): Rule => ({ user, kind: 'topic', name, operation: 'read' })),
      ...[...writes, stageHealth].map(
        ({ name }): Rule => ({ user, kind: 'topic', name, operation: 'write' }),
      ),
      ...groups.map((name): Rule => ({ user, kind: 'group', name, operation: 'read' })),
      ...[...looksAt, TOOLS].map((name): Rule => ({ user, kind: 'group', name, operation: 'describe' })),
      ...owners.map(
        (name): Rule => ({ user, kind: 'transactional-id', name, operation: 'write', prefix: true }),
      ),
    ],
  );
