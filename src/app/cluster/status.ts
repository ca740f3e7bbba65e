// What the brokers say of themselves and of their partitions.
import { describeQuorumV2, metadataV12 } from '@platformatic/kafka';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { ADMIN_USER, NODE_IDS } from '../../services/kafka/settings.ts';
import { KafkaClient } from '../../stores/broker/kafka-client.ts';
import type { Options } from '../options.ts';
import { secretOf } from '../secrets.ts';

export interface BrokerState {
  readonly id: number;
  /** Whether it takes part. */
  readonly inCluster: boolean;
  readonly isController: boolean;
  /** Partitions it leads. */
  readonly leads: number;
}

export interface KafkaState {
  readonly brokers: readonly BrokerState[];
  readonly partitions: number;
  /** Partitions that lack a copy; nothing is lost, less may die. */
  readonly underReplicated: number;
  /** Partitions without a leader: nobody reads or writes them. */
  readonly offline: number;
}

const METADATA_TOPIC = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];

/** Asked of whichever broker answers, as the administrator. Rejects where none does. */
export async function kafkaState(options: Options, clock: Clock, log: Log): Promise<KafkaState> {
  const client = new KafkaClient({
    brokers: options.kafkaBrokers.split(','),
    auth: { user: ADMIN_USER, password: secretOf(options, ADMIN_USER) },
    tls: false,
    clientId: 'instashop-status',
    clock,
    log,
  });
  try {
    const { brokers, topics } = await client.ask(metadataV12.api, null, false);
    const quorum = await client.ask(describeQuorumV2.api, METADATA_TOPIC);
    const controller = quorum.topics[0]?.partitions[0]?.leaderId ?? null;
    const partitions = topics.flatMap((topic) => topic.partitions);
    return {
      brokers: NODE_IDS.map((id) => ({
        id,
        inCluster: brokers.some(({ nodeId }) => nodeId === id),
        isController: id === controller,
        leads: partitions.filter(({ leaderId }) => leaderId === id).length,
      })),
      partitions: partitions.length,
      underReplicated: partitions.filter(
        ({ isrNodes, replicaNodes }) => isrNodes.length < replicaNodes.length,
      ).length,
      offline: partitions.filter(({ leaderId }) => leaderId < 0).length,
    };
  } finally {
    client.close();
  }
}
