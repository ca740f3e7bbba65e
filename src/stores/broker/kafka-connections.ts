// Connections to brokers. A broker answers one connection's requests one after the other, so whoever must not wait for
// another (each reader, the producer, the group's join) has a set of its own.
import { type API, Connection, ResponseError } from '@platformatic/kafka';
import type { Clock } from '../../lib/clock.ts';
import { connectionFault } from './kafka-faults.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface KafkaAccess {
  readonly auth: { readonly user: string; readonly password: string } | null;
  readonly tls: boolean;
  readonly clientId: string;
}

const CONNECT_TIMEOUT_MS = 3_000;
const BELIEVED_AFTER_MS = 4_000;

/**
 * Whether a refused password is to be believed: a broker that has just started may not know the users yet. One client's
 * connections share it.
 */
export class Refusals {
  readonly #clock: Clock;
  #since: number | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  answered(): void {
    this.#since = null;
  }

  isBelieved(): boolean {
    this.#since ??= this.#clock.now();
    return this.#clock.now() - this.#since >= BELIEVED_AFTER_MS;
  }
}

export const addressText = ({ host, port }: Address): string => `${host}:${port}`;

export class Connections {
  readonly #access: KafkaAccess;
  readonly #refusals: Refusals;
  readonly #requestTimeoutMs: number;
  readonly #open = new Map<string, Promise<Connection>>();
  #closed = false;

  constructor(access: KafkaAccess, refusals: Refusals, requestTimeoutMs: number) {
    this.#access = access;
    this.#refusals = refusals;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /**
   * Sends one request and resolves with the answer, whatever error codes stand in it. Rejects with a KafkaFault when
   * there is no answer in time (the connection is then given up), with a UserError when the broker refuses us.
   */
  async send<A extends unknown[], R>(address: Address, api: API<A, R>, ...args: A): Promise<R> {
    try {
      const connection = await this.#connection(address);
      this.#refusals.answered();
      return await api.async(connection, ...args);
    } catch (error) {
      // The library throws when any part of an answer has an error; who asked looks at each part.
      if (error instanceof ResponseError && 'response' in error) return error.response as R;
      const user = this.#access.auth?.user ?? null;
      throw connectionFault(error, addressText(address), user, () => this.#refusals.isBelieved());
    }
  }

  /** Ends all connections; requests under way reject. */
  close(): void {
    this.#closed = true;
    for (const opening of this.#open.values()) void opening.then(end, () => {});
    this.#open.clear();
  }

  #connection(address: Address): Promise<Connection> {
    if (this.#closed) throw new Error('the client is closed');
    const key = addressText(address);
    const existing = this.#open.get(key);
    if (existing) return existing;
    const opening = this.#connect(address, () => {
      if (this.#open.get(key) === opening) this.#open.delete(key);
    });
    this.#open.set(key, opening);
    return opening;
  }

  async #connect({ host, port }: Address, ended: () => void): Promise<Connection> {
    const { auth, tls, clientId } = this.#access;
    const connection = new Connection(clientId, {
      connectTimeout: CONNECT_TIMEOUT_MS,
      requestTimeout: this.#requestTimeoutMs,
      ...(tls ? { tls: {}, tlsServerName: true } : {}),
      ...(auth ? { sasl: { mechanism: 'SCRAM-SHA-256', username: auth.user, password: auth.password } } : {}),
    });
    connection.on('error', ended);
    connection.on('close', ended);
    try {
      await connection.connect(host, port);
    } catch (error) {
      ended();
      end(connection);
      throw error;
    }
    if (this.#closed) end(connection);
    return connection;
  }
}

/** At once: closing the library's way waits for what is still to be written. */
function end(connection: Connection): void {
  connection.socket?.destroy();
  void connection.close().catch(() => {});
}
