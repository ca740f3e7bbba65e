// Appending: numbered batches, one under way per partition, the same numbers again until the broker has them.
import { initProducerIdV4 } from '@platformatic/kafka';
import { isRetryable } from '../../lib/retry.ts';
import { type OutgoingRecord, RecordTooLargeError } from './broker.ts';
import { produce, type TopicBatches } from './kafka-apis.ts';
import {
  abandon,
  type Batch,
  nextBatch,
  type Part,
  type Queue,
  settle,
  splitBatch,
} from './kafka-batches.ts';
import { type KafkaClient, missingTopic, REQUEST_TIMEOUT_MS, type TopicInfo } from './kafka-client.ts';
import type { Connections } from './kafka-connections.ts';
import { encodeBatch, type ProducerId, recordBytes } from './kafka-encode.ts';
import { CODE, codeOf, faultOf, KafkaFault } from './kafka-faults.ts';

/** The leader gives up waiting for its followers before we give up waiting for it. */
const REPLICATION_TIMEOUT_MS = 2_500;
const REQUEST_BYTES_MAX = 4 << 20;
const GIVE_UP_MS = 120_000;
const UNKNOWN_TOPIC_MS = 3_000;
const CLOSE_MS_MAX = 5_000;

/** What the producer does where its numbers are no longer good for a partition. */
export interface Numbering {
  /** Who numbers from now on. */
  producer(): Promise<ProducerId>;
  /**
   * The numbers of a partition are spent, since nobody knows whether the last ones are in the log, or the broker
   * refuses them. Returns the error that every later append must reject with, or null when a new producer id helps.
   */
  spent(error: unknown): Error | null;
}

/** Numbers for records that nobody claims: a producer id of its own, another when it is spent. */
export function freeNumbering(client: KafkaClient): Numbering {
  let current: Promise<ProducerId> | null = null;
  const fresh = (): Promise<ProducerId> =>
    client.retrying(async () => {
      const answer = await client.ask(initProducerIdV4.api, null, 0);
      if (answer.errorCode !== CODE.none)
        throw faultOf(answer.errorCode, 'append with a producer id', client.user);
      return { id: answer.producerId, epoch: answer.producerEpoch };
    });
  return {
    producer() {
      current ??= fresh().catch((error: unknown) => {
        current = null;
        throw error;
      });
      return current;
    },
    spent() {
      current = null;
      return null;
    },
  };
}

/** The broker does not take these numbers (any more). With others it may work. */
const isNumbersRefused = (error: unknown): boolean => NUMBERS_REFUSED.has(codeOf(error) ?? CODE.none);
const NUMBERS_REFUSED = new Set<number>([
  CODE.outOfOrderSequence,
  CODE.invalidProducerEpoch,
  CODE.invalidTransactionState,
  CODE.invalidProducerIdMapping,
  CODE.unknownProducer,
  CODE.producerFenced,
]);

const told = (error: unknown): unknown =>
  isNumbersRefused(error) ? new KafkaFault((error as Error).message, null, { cause: error }) : error;

export class KafkaProducer {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #numbering: Numbering;
  readonly #recordBytesMax: number;
  readonly #queues = new Map<string, Queue>();
  /** Nodes that have a request of ours. */
  readonly #busyNodes = new Set<number>();
  #topics: ReadonlyMap<string, TopicInfo> = new Map();
  /** Every later append rejects with it. */
  #ended: Error | null = null;
  #isFlushDue = false;
  #calls = 0;
  #idle = Promise.withResolvers<void>();

  constructor(client: KafkaClient, numbering: Numbering, recordBytesMax: number) {
    this.#client = client;
    this.#connections = client.connections(REQUEST_TIMEOUT_MS);
    this.#numbering = numbering;
    this.#recordBytesMax = recordBytesMax;
    this.#idle.resolve();
  }

  async append(records: readonly OutgoingRecord[]): Promise<void> {
    const bytes = records.map((record) => this.#bytesOf(record));
    if (this.#ended) throw this.#ended;
    if (records.length === 0) return;
    const call = { records: records.length, done: Promise.withResolvers<void>() };
    const parts = new Map<Queue, Part>();
    for (const [i, record] of records.entries()) {
      const queue = this.#queue(record);
      let part = parts.get(queue);
      if (!part) {
        part = { call, records: [], bytes: [], taken: 0 };
        parts.set(queue, part);
        queue.waiting.push(part);
      }
      part.records.push(record);
      part.bytes.push(bytes[i]!);
    }
    if (this.#calls++ === 0) this.#idle = Promise.withResolvers();
    this.#flushSoon();
    try {
      await call.done.promise;
    } finally {
      if (--this.#calls === 0) this.#idle.resolve();
    }
  }

  /** Rejects what is under way and everything later with this error. */
  end(error: Error): void {
    this.#ended ??= error;
    for (const queue of this.#queues.values()) abandon(queue, this.#ended);
    this.#connections.close();
  }

  /** Waits for what is under way, a few seconds at most. */
  async close(): Promise<void> {
    const late = new AbortController();
    await Promise.race([this.#idle.promise, this.#client.options.clock.sleep(CLOSE_MS_MAX, late.signal)]);
    late.abort();
    this.end(new KafkaFault('the log was closed before everything was appended', null));
  }

  #bytesOf(record: OutgoingRecord): number {
    const bytes = recordBytes(record);
    if (bytes > this.#recordBytesMax)
      throw new RecordTooLargeError(record.topic, bytes, this.#recordBytesMax);
    return bytes;
  }

  #queue({ topic, partition }: OutgoingRecord): Queue {
    const key = `${topic}/${partition}`;
    let queue = this.#queues.get(key);
    if (!queue) {
      queue = {
        topic,
        partition,
        waiting: [],
        batches: [],
        isBusy: false,
        producer: null,
        sequence: 0,
        unknownSince: null,
      };
      this.#queues.set(key, queue);
    }
    return queue;
  }

  /** Calls of the same turn of the event loop share batches. */
  #flushSoon(): void {
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    setImmediate(() => {
      this.#isFlushDue = false;
      this.#flush();
    });
  }

  /**
   * One request is under way at a node: a broker answers a connection's requests one after the other, so what would
   * wait there gathers here, and goes in one.
   */
  #flush(): void {
    const due = [...this.#queues.values()].filter(
      (queue) => !queue.isBusy && (queue.batches.length > 0 || queue.waiting.length > 0),
    );
    const isReady = (queue: Queue) => this.#leaderOf(queue) !== null && queue.producer !== null;
    for (const queue of due) if (!isReady(queue)) void this.#prepare(queue);
    for (const [node, queues] of Map.groupBy(due.filter(isReady), (queue) => this.#leaderOf(queue)!)) {
      if (this.#busyNodes.has(node)) continue;
      let bytes = 0;
      const request = queues.filter((queue) => {
        if (bytes >= REQUEST_BYTES_MAX) return false;
        if (queue.batches.length === 0) queue.batches.push(nextBatch(queue, this.#encoder(queue)));
        const { length } = queue.batches[0]!.encoded;
        // What no longer fits is encoded already, and is in the next request.
        const fits = bytes === 0 || bytes + length <= REQUEST_BYTES_MAX;
        if (fits) bytes += length;
        return fits;
      });
      void this.#send(node, request);
    }
  }

  /** Finds out what is missing before the queue can be sent. */
  async #prepare(queue: Queue): Promise<void> {
    queue.isBusy = true;
    const since = this.#client.options.clock.now();
    try {
      queue.producer ??= await this.#numbering.producer();
      if (this.#leaderOf(queue) === null) await this.#findLeader(queue);
      this.#release(queue);
    } catch (error) {
      await this.#failed(queue, error, since);
    }
  }

  async #findLeader({ topic, partition }: Queue): Promise<void> {
    // Asked of this topic alone: what is refused of another one is not its fault.
    const found = await this.#client.topics([topic]);
    this.#topics = new Map([...this.#topics, ...found]);
    const info = found.get(topic);
    if (!info || partition >= info.leaders.length)
      throw faultOf(CODE.unknownTopic, `append to ${topic}/${partition}`, null);
    if (info.leaders[partition]! < 0)
      throw faultOf(CODE.leaderNotAvailable, `append to ${topic}/${partition}`, null);
  }

  async #send(node: number, queues: readonly Queue[]): Promise<void> {
    this.#busyNodes.add(node);
    for (const queue of queues) queue.isBusy = true;
    const topics: TopicBatches[] = Array.from(
      Map.groupBy(queues, ({ topic }) => topic),
      ([name, of]) => ({
        name,
        partitions: of.map(({ partition, batches }) => ({ partition, batch: batches[0]!.encoded })),
      }),
    );
    const codes = new Map<string, number>();
    let fault: unknown = null;
    const address = this.#client.addressOf(node);
    try {
      const answer = await this.#connections.send(address, produce, REPLICATION_TIMEOUT_MS, topics);
      for (const { topic, partition, code } of answer) codes.set(`${topic}/${partition}`, code);
    } catch (error) {
      fault = error;
      this.#client.failed(address);
      this.#forgetLeader(node);
    }
    this.#busyNodes.delete(node);
    this.#flushSoon();
    await Promise.all(
      queues.map((queue) => this.#answered(queue, codes.get(`${queue.topic}/${queue.partition}`), fault)),
    );
  }

  async #answered(queue: Queue, code: number | undefined, fault: unknown): Promise<void> {
    const batch = queue.batches[0];
    // Nothing there: the queue was abandoned meanwhile.
    if (!batch || code === CODE.none || code === CODE.duplicateSequence) {
      queue.batches.shift();
      queue.unknownSince = null;
      if (batch) settle(batch);
      return this.#release(queue);
    }
    if (code === CODE.messageTooLarge) return this.#tooLarge(queue, batch);
    const what = `append to ${queue.topic}/${queue.partition}`;
    const error =
      code === undefined
        ? (fault ?? new KafkaFault(`cannot ${what}`, null))
        : faultOf(code, what, this.#client.user);
    await this.#failed(queue, error, batch.since);
  }

  #tooLarge(queue: Queue, batch: Batch): void {
    const halves = splitBatch(batch, this.#encoder(queue));
    if (halves) {
      queue.batches.splice(0, 1, ...halves);
    } else {
      queue.batches.shift();
      // Its number was not used up: the next batch has it.
      queue.sequence = batch.sequence;
      const error = new RecordTooLargeError(queue.topic, batch.bytes, this.#recordBytesMax);
      for (const { part } of batch.shares) part.call.done.reject(error);
      queue.batches = queue.batches.map((next) => this.#renumbered(queue, next));
    }
    this.#release(queue);
  }

  #renumbered(queue: Queue, batch: Batch): Batch {
    const { sequence } = queue;
    queue.sequence = (sequence + batch.records.length) % 2 ** 31;
    return { ...batch, sequence, ...this.#encoder(queue)(batch.records, batch.bytes, sequence) };
  }

  /** Passing: again after a moment, with the same numbers. Else, or when time is up, everybody who waits is told. */
  async #failed(queue: Queue, error: unknown, since: number): Promise<void> {
    const now = this.#client.options.clock.now();
    const isUnknown = codeOf(error) === CODE.unknownTopic;
    queue.unknownSince = isUnknown ? (queue.unknownSince ?? now) : null;
    const isMissing = isUnknown && now - queue.unknownSince! >= UNKNOWN_TOPIC_MS;
    if (isRetryable(error) && now - since < GIVE_UP_MS && !isMissing && !this.#ended) {
      await this.#client.pause();
      if (!this.#ended) return this.#prepareAnew(queue, since);
    }
    // What was sent may still enter the log, so its numbers cannot be given to other records.
    if (queue.batches.length > 0) this.#spend(queue, error);
    abandon(queue, this.#ended ?? (isMissing ? missingTopic(queue.topic) : told(error)));
    this.#release(queue);
  }

  /** Keeps the time of the first attempt where nothing is numbered yet. */
  async #prepareAnew(queue: Queue, since: number): Promise<void> {
    try {
      queue.producer ??= await this.#numbering.producer();
      await this.#findLeader(queue);
      this.#release(queue);
    } catch (error) {
      await this.#failed(queue, error, since);
    }
  }

  #spend(queue: Queue, error: unknown): void {
    const end = this.#numbering.spent(error);
    queue.producer = null;
    queue.sequence = 0;
    if (end) this.end(end);
  }

  #release(queue: Queue): void {
    queue.isBusy = false;
    if (queue.batches.length > 0 || queue.waiting.length > 0) this.#flushSoon();
  }

  #encoder(queue: Queue) {
    return (records: readonly OutgoingRecord[], bytes: number, sequence: number) => {
      const now = this.#client.options.clock.now();
      return { encoded: encodeBatch(records, bytes, queue.producer!, sequence, now), since: now };
    };
  }

  #leaderOf({ topic, partition }: Queue): number | null {
    const leader = this.#topics.get(topic)?.leaders[partition] ?? -1;
    return leader < 0 || !this.#client.nodes().has(leader) ? null : leader;
  }

  #forgetLeader(node: number): void {
    this.#topics = new Map(
      Array.from(this.#topics, ([name, info]) => [
        name,
        { ...info, leaders: info.leaders.map((leader) => (leader === node ? -1 : leader)) },
      ]),
    );
  }
}
