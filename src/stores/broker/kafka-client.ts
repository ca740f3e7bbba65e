// What every part of the adapter asks the cluster for: who leads a partition, who coordinates, and answers with
// retries.
import { type API, findCoordinatorV4, metadataV12 } from '@platformatic/kafka';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import { type Address, addressText, Connections, type KafkaAccess, Refusals } from './kafka-connections.ts';
import { CODE, codeOf, faultOf, KafkaFault } from './kafka-faults.ts';

/** An answer that takes longer comes from a broker that is frozen or gone. */
export const REQUEST_TIMEOUT_MS = 3_000;
export const RETRY_DELAY_MS = 150;
/** How long a call about topics, offsets or groups tries before it rejects. */
const CALL_MS_MAX = 30_000;
/** So long may a new topic be unknown to a broker. */
const TOPIC_APPEARS_MS = 3_000;

export interface TopicInfo {
  readonly name: string;
  readonly id: string;
  /** Node that leads each partition, by partition number; -1 while there is none. */
  readonly leaders: readonly number[];
}

export type CoordinatorKind = 'group' | 'transaction';

export interface KafkaClientOptions extends KafkaAccess {
  readonly brokers: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

export class KafkaClient {
  readonly options: KafkaClientOptions;
  readonly #refusals: Refusals;
  readonly #connections: Connections;
  readonly #bootstrap: readonly Address[];
  #nodes: ReadonlyMap<number, Address> = new Map();
  readonly #coordinators = new Map<string, Address>();
  /** When an address last gave no answer: those are asked last. */
  readonly #failedAt = new Map<string, number>();
  readonly #asking = new Map<string, Promise<ReadonlyMap<string, TopicInfo>>>();
  readonly #closing = new AbortController();

  constructor(options: KafkaClientOptions) {
    this.options = options;
    this.#bootstrap = options.brokers.map(parseAddress);
    this.#refusals = new Refusals(options.clock);
    this.#connections = this.connections(REQUEST_TIMEOUT_MS);
  }

  /** Aborts when the client closes. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  get user(): string | null {
    return this.options.auth?.user ?? null;
  }

  /** A set of connections of one's own, to be closed by whoever asked for it. */
  connections(requestTimeoutMs: number): Connections {
    return new Connections(this.options, this.#refusals, requestTimeoutMs);
  }

  close(): void {
    this.#closing.abort();
    this.#connections.close();
  }

  addressOf(node: number): Address {
    const address = this.#nodes.get(node);
    if (address === undefined) throw new KafkaFault(`no broker ${node} is known`, null);
    return address;
  }

  nodes(): ReadonlyMap<number, Address> {
    return this.#nodes;
  }

  /** Asks one broker. */
  async send<A extends unknown[], R>(address: Address, api: API<A, R>, ...args: A): Promise<R> {
    try {
      return await this.#connections.send(address, api, ...args);
    } catch (error) {
      this.failed(address);
      throw error;
    }
  }

  /** Says that an address gave no answer, so that others are asked first. */
  failed(address: Address): void {
    this.#failedAt.set(addressText(address), this.options.clock.now());
  }

  /** Asks any broker: those that answered lately first, each at most once. */
  async ask<A extends unknown[], R>(api: API<A, R>, ...args: A): Promise<R> {
    const byText = new Map(
      [...this.#nodes.values(), ...this.#bootstrap].map((address) => [addressText(address), address]),
    );
    const rank = (text: string): number => this.#failedAt.get(text) ?? 0;
    const order = [...byText].sort(([a], [b]) => rank(a) - rank(b));
    let fault: unknown;
    for (const [, address] of order) {
      try {
        return await this.send(address, api, ...args);
      } catch (error) {
        fault = error;
        if (!isRetryable(error) || this.closing.aborted) throw error;
      }
    }
    throw fault;
  }

  /** Who leads the partitions of these topics, as of now; topics that do not exist are left out. */
  topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>> {
    const key = [...names].sort().join();
    const asking = this.#asking.get(key) ?? this.#topics(names).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #topics(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>> {
    const { brokers, topics } = await this.ask(metadataV12.api, [...names], false);
    if (brokers.length > 0) this.#nodes = new Map(brokers.map((broker) => [broker.nodeId, broker]));
    const found = new Map<string, TopicInfo>();
    for (const { name, topicId, errorCode, partitions } of topics) {
      if (errorCode === CODE.unknownTopic || errorCode === CODE.leaderNotAvailable) continue;
      if (errorCode !== CODE.none) throw faultOf(errorCode, `use the topic ${name}`, this.user);
      const leaders: number[] = [];
      for (const { partitionIndex, leaderId } of partitions) leaders[partitionIndex] = leaderId;
      found.set(name!, { name: name!, id: topicId, leaders });
    }
    return found;
  }

  /** As `topics`, but waits a little for a topic to appear; a UserError when it does not. */
  async existing(names: readonly string[]): Promise<ReadonlyMap<string, TopicInfo>> {
    const until = this.options.clock.now() + TOPIC_APPEARS_MS;
    for (;;) {
      const found = await this.retrying(() => this.topics(names));
      const missing = names.find((name) => !found.has(name));
      if (missing === undefined) return found;
      if (this.options.clock.now() >= until) throw missingTopic(missing);
      await this.pause();
    }
  }

  /**
   * Asks the coordinator of a group or transactional id, wherever it is now, until it answers with a code that does not
   * pass (or time is up). `code` finds the code in the answer.
   */
  async askCoordinator<A extends unknown[], R>(
    [kind, key]: readonly [CoordinatorKind, string],
    what: string,
    code: (answer: R) => number,
    api: API<A, R>,
    ...args: A
  ): Promise<R> {
    return this.retrying(() =>
      this.atCoordinator([kind, key], async (address) => {
        const answer = await this.send(address, api, ...args);
        if (code(answer) === CODE.none) return answer;
        throw faultOf(code(answer), what, this.user);
      }),
    );
  }

  /**
   * Runs `action` once, with whoever coordinates a group or transactional id. Where its error says that this is
   * another by now, the next call looks for it.
   */
  async atCoordinator<T>(
    [kind, key]: readonly [CoordinatorKind, string],
    action: (address: Address) => Promise<T>,
  ): Promise<T> {
    const address = await this.#coordinator(kind, key);
    try {
      return await action(address);
    } catch (error) {
      if (isCoordinatorGone(error)) this.#coordinators.delete(`${kind} ${key}`);
      throw error;
    }
  }

  async #coordinator(kind: CoordinatorKind, key: string): Promise<Address> {
    const known = this.#coordinators.get(`${kind} ${key}`);
    if (known) return known;
    const { coordinators } = await this.ask(findCoordinatorV4.api, kind === 'group' ? 0 : 1, [key]);
    const { errorCode, host, port } = coordinators[0]!;
    if (errorCode !== CODE.none) throw faultOf(errorCode, `find who coordinates ${kind} ${key}`, this.user);
    this.#coordinators.set(`${kind} ${key}`, { host, port });
    return { host, port };
  }

  /** Repeats `action` while its faults pass, for 30 s at most. */
  async retrying<T>(action: () => Promise<T>): Promise<T> {
    const until = this.options.clock.now() + CALL_MS_MAX;
    for (;;) {
      try {
        return await action();
      } catch (error) {
        if (!isRetryable(error) || this.closing.aborted || this.options.clock.now() >= until) throw error;
        await this.pause();
      }
    }
  }

  /** The wait before something is tried again. */
  pause(signal: AbortSignal = this.closing): Promise<void> {
    return this.options.clock.sleep(RETRY_DELAY_MS, signal);
  }
}

/** Whether the coordinator must be looked for anew. */
export function isCoordinatorGone(error: unknown): boolean {
  const code = codeOf(error);
  if (code === null) return error instanceof KafkaFault;
  return code === CODE.notCoordinator || code === CODE.coordinatorNotAvailable;
}

export const missingTopic = (name: string): UserError =>
  new UserError(
    `Kafka has no topic ${name}`,
    'Start with the setup that makes the topics (`instashop cluster up`), or make it as docs/04-broker.md says.',
  );

function parseAddress(text: string): Address {
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new UserError(`${text} is no address of a Kafka broker`, 'Write host:port, several with commas.');
  }
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}
