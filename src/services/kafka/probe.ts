import { Admin, AuthenticationError, MultipleErrors } from '@platformatic/kafka';
import { guardKafkaConnections } from '../../lib/kafka-guard.ts';

export interface Login {
  readonly username: string;
  readonly password: string;
}

/** A client that gives up at once, for asking whether and what a broker answers. */
export function probeClient(ports: readonly number[], { username, password }: Login): Admin {
  guardKafkaConnections();
  return new Admin({
    clientId: 'instashop-launcher',
    bootstrapBrokers: ports.map((port) => `127.0.0.1:${port}`),
    sasl: { mechanism: 'SCRAM-SHA-256', username, password },
    retries: 0,
    connectTimeout: 1_000,
    timeout: 3_000,
    requestTimeout: 3_000,
  });
}

/** Brokers that take part, as the broker at `port` sees it. Rejects where it does not answer. */
export async function brokersSeenAt(port: number, login: Login): Promise<ReadonlySet<number>> {
  const client = probeClient([port], login);
  try {
    const { brokers } = await client.metadata({ topics: [], forceUpdate: true });
    return new Set(brokers.keys());
  } finally {
    await client.close().catch(() => undefined);
  }
}

/** Whether the fault is that name and password are refused. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof AuthenticationError) return true;
  if (error instanceof MultipleErrors || error instanceof AggregateError) return error.errors.some(isRefusal);
  return error instanceof Error && error.cause !== undefined && isRefusal(error.cause);
}
