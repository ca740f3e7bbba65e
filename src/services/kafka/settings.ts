// The settings of the brokers as data: the launcher writes them into files, and ops/compose.yaml has the same.

/**
 * Users the servers themselves need. The first may do everything; with the second the brokers sign in to each
 * other.
 */
export const ADMIN_USER = 'instashop-admin';
export const BROKER_USER = 'instashop-broker';

/** Identity of the three nodes, each broker and controller (KRaft). */
export const NODE_IDS = [1, 2, 3] as const;
export type NodeId = (typeof NODE_IDS)[number];

/** Listeners: clients and brokers sign in by SCRAM on the first, controllers by PLAIN on the second. */
export const CLIENT_LISTENER = 'CLIENT';
export const CONTROLLER_LISTENER = 'CONTROLLER';

/** The same on all nodes, wherever they run. */
export const CLUSTER_SETTINGS: Readonly<Record<string, string>> = {
  'process.roles': 'broker,controller',
  'listener.security.protocol.map': `${CLIENT_LISTENER}:SASL_PLAINTEXT,${CONTROLLER_LISTENER}:SASL_PLAINTEXT`,
  'inter.broker.listener.name': CLIENT_LISTENER,
  'controller.listener.names': CONTROLLER_LISTENER,
  'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
  'sasl.mechanism.inter.broker.protocol': 'SCRAM-SHA-256',
  'sasl.mechanism.controller.protocol': 'PLAIN',
  [`listener.name.${CONTROLLER_LISTENER.toLowerCase()}.sasl.enabled.mechanisms`]: 'PLAIN',

  // Who has no right has none: topics, groups and ids are granted to each stage's user.
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'false',
  'super.users': `User:${ADMIN_USER};User:${BROKER_USER}`,

  // Two of three nodes have every acknowledged record; none is ever given up for availability.
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'unclean.leader.election.enable': 'false',
  'auto.create.topics.enable': 'false',

  // A dead node is noticed within 3 s (default 9 s).
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'controller.quorum.fetch.timeout.ms': '1000',
  'controller.quorum.election.timeout.ms': '500',
  'controller.quorum.election.backoff.max.ms': '300',
  'group.initial.rebalance.delay.ms': '0',
  // A node that returned leads again soon (default 5 min).
  'leader.imbalance.check.interval.seconds': '30',

  // The inner topics: few partitions, since few groups and writers use them.
  'offsets.topic.replication.factor': '3',
  'offsets.topic.num.partitions': '10',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'transaction.state.log.num.partitions': '10',
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  'share.coordinator.state.topic.num.partitions': '3',

  // A record has up to 1,000,000 bytes; a batch may hold more than one.
  'message.max.bytes': '2097152',
  // For a heap of 384 MB; the default for compaction alone is 128 MB.
  'log.cleaner.dedupe.buffer.size': '16777216',
  'num.network.threads': '2',
  'num.io.threads': '4',
};

export const HEAP_MB = 384;
/**
 * JVM options that bound what a node takes of a machine it shares with everything else. The optimizing compiler is left
 * out: measured here, it takes half of the brokers' time for the first minutes, and what it makes is no faster at
 * thousands of events a second.
 */
export const JVM_OPTIONS: readonly string[] = [
  `-Xms${HEAP_MB}m`,
  `-Xmx${HEAP_MB}m`,
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:+ExitOnOutOfMemoryError',
];

export interface NodePlace {
  readonly id: number;
  readonly port: number;
  readonly controllerPort: number;
}

/** What differs between nodes and machines. Holds the brokers' password: for a file of mode 0600. */
export function nodeSettings(
  node: NodePlace,
  nodes: readonly NodePlace[],
  logDir: string,
  brokerPassword: string,
): Readonly<Record<string, string>> {
  const address = (listener: string, port: number) => `${listener}://127.0.0.1:${port}`;
  const listener = (name: string, mechanism: string) =>
    `listener.name.${name.toLowerCase()}.${mechanism.toLowerCase()}.sasl.jaas.config`;
  const login = `username="${BROKER_USER}" password="${brokerPassword}"`;
  return {
    'node.id': String(node.id),
    listeners: [address(CLIENT_LISTENER, node.port), address(CONTROLLER_LISTENER, node.controllerPort)].join(
      ',',
    ),
    'advertised.listeners': address(CLIENT_LISTENER, node.port),
    'controller.quorum.voters': nodes
      .map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`)
      .join(','),
    'log.dirs': logDir,
    [listener(CLIENT_LISTENER, 'SCRAM-SHA-256')]:
      `org.apache.kafka.common.security.scram.ScramLoginModule required ${login};`,
    [listener(CONTROLLER_LISTENER, 'PLAIN')]:
      `org.apache.kafka.common.security.plain.PlainLoginModule required ${login} ` +
      `user_${BROKER_USER}="${brokerPassword}";`,
  };
}

/** As a Java properties file. */
export const propertiesText = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name}=${value.replaceAll('\\', '\\\\')}\n`)
    .join('');
