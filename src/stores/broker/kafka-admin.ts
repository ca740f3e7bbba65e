// Topics: made with the settings their use asks for, and what is in them.
import { createTopicsV7, metadataV12 } from '@platformatic/kafka';
import type { Topic } from '../../contracts/topics.ts';
import type { KafkaClient } from './kafka-client.ts';
import { CODE, faultOf, KafkaFault } from './kafka-faults.ts';

const REPLICAS_MAX = 3;
const CREATE_TIMEOUT_MS = 2_500;
const HOUR_MS = 3_600_000;
/** Beside the records a batch has a head, and each record its lengths. */
const BATCH_OVERHEAD_BYTES = 48_588;
/** Cleaning looks at closed segments only, so those of a compacted topic are closed early. */
const COMPACTED_SEGMENT_MS = HOUR_MS;
const COMPACTED_SEGMENT_BYTES = 32 << 20;

export interface TopicSettings {
  readonly retentionMs: number;
  /** Of a topic that is not compacted; shared out among its partitions. */
  readonly retentionBytes: number;
  /** Compacted topics whose old keys are of no use: records older than this go, whether a newer one is there or not. */
  readonly retentionMsByTopic: Readonly<Record<string, number>>;
  /** Compacted topics whose records must all stay for a while: nothing younger than this is compacted away. */
  readonly compactionLagMsByTopic: Readonly<Record<string, number>>;
  readonly recordBytesMax: number;
}

/** Creates what is missing and waits until every broker knows it. */
export async function createTopics(
  client: KafkaClient,
  topics: readonly Topic[],
  settings: TopicSettings,
): Promise<void> {
  const names = topics.map(({ name }) => name);
  const known = await client.retrying(() => client.topics(names));
  const missing = topics.filter(({ name }) => !known.has(name));
  if (missing.length === 0) return;
  await client.retrying(() => createOnce(client, missing, settings));
  await client.retrying(() => seenByAll(client, names));
}

async function createOnce(
  client: KafkaClient,
  topics: readonly Topic[],
  settings: TopicSettings,
): Promise<void> {
  const replicas = Math.min(REPLICAS_MAX, client.nodes().size);
  const wanted = topics.map((topic) => ({
    name: topic.name,
    numPartitions: topic.partitions,
    replicationFactor: replicas,
    assignments: [],
    configs: settingsOf(topic, replicas, settings),
  }));
  const answer = await client.ask(createTopicsV7.api, wanted, CREATE_TIMEOUT_MS, false);
  for (const { name, errorCode, errorMessage } of answer.topics) {
    if (errorCode === CODE.none || errorCode === CODE.topicExists) continue;
    const fault = faultOf(errorCode, `create the topic ${name}`, client.user);
    if (errorMessage && fault instanceof KafkaFault) fault.message += ` (${errorMessage})`;
    throw fault;
  }
}

function settingsOf(
  { name, partitions, compacted }: Topic,
  replicas: number,
  settings: TopicSettings,
): { name: string; value: string }[] {
  const all = {
    'min.insync.replicas': Math.min(2, replicas),
    'max.message.bytes': settings.recordBytesMax + BATCH_OVERHEAD_BYTES,
    ...(compacted
      ? compactedSettings(name, settings)
      : {
          'cleanup.policy': 'delete',
          'retention.ms': settings.retentionMs,
          'retention.bytes': Math.floor(settings.retentionBytes / partitions),
        }),
  };
  return Object.entries(all).map(([key, value]) => ({ name: key, value: String(value) }));
}

function compactedSettings(name: string, settings: TopicSettings): Record<string, string | number> {
  const retentionMs = settings.retentionMsByTopic[name];
  const lagMs = settings.compactionLagMsByTopic[name];
  return {
    'cleanup.policy': retentionMs === undefined ? 'compact' : 'compact,delete',
    ...(retentionMs === undefined ? {} : { 'retention.ms': retentionMs }),
    ...(lagMs === undefined ? {} : { 'min.compaction.lag.ms': lagMs }),
    'segment.ms': COMPACTED_SEGMENT_MS,
    'segment.bytes': COMPACTED_SEGMENT_BYTES,
    'min.cleanable.dirty.ratio': 0.1,
  };
}

/**
 * A broker that does not know a topic yet refuses what is asked of it. Brokers that do not answer learn it when
 * they are back.
 */
async function seenByAll(client: KafkaClient, names: readonly string[]): Promise<void> {
  await client.topics(names);
  const answers = await Promise.allSettled(
    Array.from(client.nodes().values(), (address) =>
      client.send(address, metadataV12.api, [...names], false),
    ),
  );
  for (const answer of answers) {
    if (answer.status === 'rejected') continue;
    for (const { name, errorCode, partitions } of answer.value.topics) {
      if (errorCode !== CODE.none) throw faultOf(errorCode, `use the new topic ${name}`, client.user);
      if (partitions.some(({ leaderId }) => leaderId < 0))
        throw faultOf(CODE.leaderNotAvailable, `use the new topic ${name}`, client.user);
    }
  }
}
