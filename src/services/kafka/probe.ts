// What the launcher asks brokers: whether they answer, whom they see, and that they know the users.
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import {
  AuthenticationError,
  alterUserScramCredentialsV0,
  Connection,
  MultipleErrors,
  metadataV12,
} from '@platformatic/kafka';

export interface Login {
  readonly username: string;
  readonly password: string;
}

const ANSWER_MS_MAX = 3_000;
const ITERATIONS = 4_096;
/** SCRAM-SHA-256 in the protocol. */
const MECHANISM = 1;

/** Asks the broker at 127.0.0.1:`port` on a connection of its own. Rejects where it does not answer in time. */
async function asking<T>(port: number, login: Login, ask: (broker: Connection) => Promise<T>): Promise<T> {
  const connection = new Connection('instashop-launcher', {
    connectTimeout: ANSWER_MS_MAX,
    requestTimeout: ANSWER_MS_MAX,
    sasl: { mechanism: 'SCRAM-SHA-256', ...login },
  });
  // One that dies while it signs in says so twice; without a listener the second event would end the process.
  connection.on('error', () => undefined);
  try {
    await connection.connect('127.0.0.1', port);
    return await ask(connection);
  } finally {
    await connection.close().catch(() => undefined);
  }
}

/** Brokers that take part, as the broker at `port` sees it. Rejects where it does not answer. */
export const brokersSeenAt = (port: number, login: Login): Promise<ReadonlySet<number>> =>
  asking(port, login, async (broker) => {
    const { brokers } = await metadataV12.api.async(broker, [], false);
    return new Set(brokers.map(({ nodeId }) => nodeId));
  });

/** Makes the users, or gives them these passwords. Rejects with an Error when the cluster refuses. */
export const ensureUsers = (
  port: number,
  login: Login,
  users: Readonly<Record<string, string>>,
): Promise<void> =>
  asking(port, login, async (broker) => {
    const credentials = Object.entries(users).map(([name, password]) => {
      const salt = randomBytes(16);
      const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, 32, 'sha256');
      return { name, mechanism: MECHANISM, iterations: ITERATIONS, salt, saltedPassword };
    });
    await alterUserScramCredentialsV0.api.async(broker, [], credentials);
  });

/** Whether the fault is that name and password are refused. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AuthenticationError) return true;
  if (error instanceof MultipleErrors || error instanceof AggregateError) return error.errors.some(isRefusal);
  return error instanceof Error && error.cause !== undefined && isRefusal(error.cause);
}
