// What Kafka's error codes mean to us: what passes by itself, and what a person must mend.
import { protocolErrorsCodesById } from '@platformatic/kafka';
import { UserError } from '../../lib/errors.ts';

/** The codes that some code of ours decides by; the others are told by name. */
export const CODE = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopic: 3,
  leaderNotAvailable: 5,
  messageTooLarge: 10,
  coordinatorLoading: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMember: 25,
  rebalanceInProgress: 27,
  topicForbidden: 29,
  groupForbidden: 30,
  clusterForbidden: 31,
  topicExists: 36,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  invalidTransactionState: 48,
  invalidProducerIdMapping: 49,
  concurrentTransactions: 51,
  transactionalIdForbidden: 53,
  unknownProducer: 59,
  memberIdRequired: 79,
  producerFenced: 90,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const;

/**
 * Codes that go away: elections, coordinators that move, replicas that are missing for a while. UNKNOWN_TOPIC is one of
 * them since a new topic is not known to all brokers at once; whoever meets it bounds the wait.
 */
const PASSING = new Set<number>([
  2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 22, 25, 27, 41, 51, 56, 74, 75, 78, 79, 88, 89, 100, 103,
]);

const FORBIDDEN: Readonly<Record<number, string>> = {
  [CODE.topicForbidden]: 'topic',
  [CODE.groupForbidden]: 'consumer group',
  [CODE.clusterForbidden]: 'cluster',
  [CODE.transactionalIdForbidden]: 'transactional id',
};

/** A fault of the cluster. `code` is null when no broker answered. */
export class KafkaFault extends Error {
  readonly code: number | null;
  readonly retryable: boolean;
  constructor(message: string, code: number | null, options: ErrorOptions = {}) {
    super(message, options);
    this.name = 'KafkaFault';
    this.code = code;
    this.retryable = code === null || PASSING.has(code);
  }
}

/** The error for a code that a broker answered with. `what` says what was asked, of which topic or group. */
export function faultOf(code: number, what: string, user: string | null): Error {
  const kind = FORBIDDEN[code];
  if (kind !== undefined) {
    return new UserError(
      `the Kafka user ${user ?? '(none)'} may not ${what}: its rights to the ${kind} are missing`,
      'Grant them (docs/14-cluster.md lists what each user needs), or name another user.',
    );
  }
  const name = (protocolErrorsCodesById as Readonly<Record<number, string>>)[code] ?? `error ${code}`;
  return new KafkaFault(`cannot ${what}: ${name}`, code);
}

/** The error for a connection that could not be made or that broke. A refusal that is not believed passes. */
export function connectionFault(
  error: unknown,
  address: string,
  user: string | null,
  isRefusalBelieved: () => boolean,
): Error {
  const causes = causesOf(error);
  if (causes.some(({ code }) => code === 'PLT_KFK_AUTHENTICATION') && isRefusalBelieved()) {
    return new UserError(
      `Kafka at ${address} refuses the user ${user ?? '(none)'} or its password`,
      'Look whether the user exists there, and whether its secret is the one the servers were set up with.',
    );
  }
  if (causes.some(({ message }) => /requires TLS|TLS handshake failed/.test(message))) {
    return new UserError(
      `Kafka at ${address} and this client disagree about TLS: ${causes.at(-1)!.message}`,
      'Set --kafka-tls to what the listener speaks.',
    );
  }
  return new KafkaFault(`no answer from Kafka at ${address}: ${causes.at(-1)!.message}`, null, {
    cause: error,
  });
}

type Coded = Error & { readonly code?: unknown };

function causesOf(error: unknown): readonly Coded[] {
  const found: Coded[] = [];
  for (let next = error; next instanceof Error && found.length < 8; next = next.cause) found.push(next);
  return found.length > 0 ? found : [new Error(String(error))];
}

export const codeOf = (error: unknown): number | null => (error instanceof KafkaFault ? error.code : null);
