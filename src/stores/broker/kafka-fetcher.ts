// Keeps feeds filled: one fetch under way at each broker that leads some of them, wherever they move.
import { UserError } from '../../lib/errors.ts';
import { isRetryable } from '../../lib/retry.ts';
import { LOG_MADE_ANEW_REMEDY, OffsetOutOfRangeError } from './broker.ts';
import { type Fetched, type FetchTopic, fetchRecords } from './kafka-apis.ts';
import { type KafkaClient, missingTopic } from './kafka-client.ts';
import type { Connections } from './kafka-connections.ts';
import { CODE, faultOf } from './kafka-faults.ts';
import type { Feed } from './kafka-feed.ts';
import { EARLIEST, findOffsets, LATEST } from './kafka-offsets.ts';
import { Wake } from './wake.ts';

/** How long a broker waits for a first record: it answers at once when one comes. */
const WAIT_MS = 500;
/** While some of a broker's feeds are full, they may be empty again soon, and the wait is not theirs. */
const WAIT_BESIDE_FULL_MS = 10;
/**
 * After an answer this small the next records gather for a moment: with 20 ms the brokers answer some 40 times a second
 * instead of once for each append, which costs three of them more than the wait costs anybody.
 */
const FEW_BYTES = 64 << 10;
/** An answer later than that comes from a broker that is frozen or gone. */
const TIMEOUT_MS = WAIT_MS + 2_500;
const PARTITION_BYTES_MAX = 512 << 10;
const FETCH_BYTES_MAX = 2 << 20;
/** A feed with more than this waiting is not fetched. */
const FEED_BYTES_ENOUGH = 256 << 10;
/** Nor is one with anything waiting while all together have this. */
const BYTES_ENOUGH = 8 << 20;
/** How long a topic may be unknown, or a place be out of range, before it is believed: brokers that start know less. */
const BELIEVED_AFTER_MS = 5_000;

export class KafkaFetcher {
  readonly #client: KafkaClient;
  readonly #connections: Connections;
  readonly #gatherMs: number;
  readonly #signal: AbortSignal;
  readonly #feeds = new Set<Feed>();
  /** Nodes that are being fetched from. */
  readonly #loops = new Set<number>();
  readonly #changed = new Wake();
  readonly #news = new Wake();
  #isLooking = false;
  #fault: unknown = null;

  /** Runs until the signal aborts. */
  constructor(client: KafkaClient, gatherMs: number, signal: AbortSignal) {
    this.#client = client;
    this.#gatherMs = gatherMs;
    this.#signal = signal;
    this.#connections = client.connections(TIMEOUT_MS);
    signal.addEventListener('abort', () => this.#connections.close(), { once: true });
  }

  add(feeds: Iterable<Feed>): void {
    for (const feed of feeds) this.#feeds.add(feed);
    this.#lookForLeaders();
  }

  remove(feed: Feed): void {
    this.#feeds.delete(feed);
    this.#changed.all();
  }

  /** Says that feeds were emptied, and may be fetched again. */
  emptied(): void {
    this.#changed.all();
  }

  /** Throws what ended the fetching, if anything did. */
  check(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  /** Wakes those who wait for news. */
  wake(): void {
    this.#news.all();
  }

  /** Resolves when something was fetched, or the signal aborts. */
  news(signal: AbortSignal): Promise<void> {
    return this.#fault === null ? this.#news.wait(signal) : Promise.resolve();
  }

  #fail(error: unknown): void {
    if (this.#signal.aborted) return;
    this.#fault ??= error;
    this.#changed.all();
    this.#news.all();
  }

  get #isOver(): boolean {
    return this.#signal.aborted || this.#fault !== null;
  }

  #lookForLeaders(): void {
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#findLeaders()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#isLooking = false;
        if (!this.#isOver && [...this.#feeds].some(({ leader }) => leader < 0)) this.#lookForLeaders();
      });
  }

  async #findLeaders(): Promise<void> {
    const { clock } = this.#client.options;
    const since = clock.now();
    for (let isFirst = true; !this.#isOver; isFirst = false) {
      const lost = [...this.#feeds].filter(({ leader }) => leader < 0);
      if (lost.length === 0) return;
      if (!isFirst) await this.#client.pause(this.#signal);
      try {
        const infos = await this.#client.topics([...new Set(lost.map(({ topic }) => topic))]);
        for (const feed of lost) {
          const info = infos.get(feed.topic);
          if (info && info.id !== feed.topicId) throw madeAnew(feed.topic);
          if (!info && clock.now() - since > BELIEVED_AFTER_MS) throw missingTopic(feed.topic);
          feed.leader = info?.leaders[feed.partition] ?? -1;
        }
      } catch (error) {
        if (!isRetryable(error)) throw error;
      }
      for (const { leader } of lost) if (leader >= 0) this.#startLoop(leader);
      this.#changed.all();
    }
  }

  #startLoop(node: number): void {
    if (this.#loops.has(node)) return;
    this.#loops.add(node);
    void this.#fetchFrom(node)
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#loops.delete(node);
        if (!this.#isOver && this.#ledBy(node).length > 0) this.#startLoop(node);
      });
  }

  #ledBy(node: number): readonly Feed[] {
    return [...this.#feeds].filter(({ leader }) => leader === node);
  }

  async #fetchFrom(node: number): Promise<void> {
    while (!this.#isOver) {
      const feeds = this.#ledBy(node);
      if (feeds.length === 0) return;
      const total = [...this.#feeds].reduce((sum, { bytes }) => sum + bytes, 0);
      const due = feeds.filter(
        ({ bytes }) => bytes === 0 || (bytes < FEED_BYTES_ENOUGH && total < BYTES_ENOUGH),
      );
      if (due.length === 0) {
        await this.#changed.wait(this.#signal);
        continue;
      }
      try {
        const bytes = await this.#fetch(
          node,
          due,
          due.length === feeds.length ? WAIT_MS : WAIT_BESIDE_FULL_MS,
        );
        if (bytes > 0 && bytes < FEW_BYTES)
          await this.#client.options.clock.sleep(this.#gatherMs, this.#signal);
      } catch (error) {
        if (this.#signal.aborted) return;
        if (!isRetryable(error)) throw error;
        // Asked who leads now, before the same broker is tried again.
        for (const feed of feeds) feed.leader = -1;
        await this.#client.pause(this.#signal);
        this.#lookForLeaders();
        return;
      }
    }
  }

  /** Resolves with the bytes of records that came. */
  async #fetch(node: number, feeds: readonly Feed[], waitMs: number): Promise<number> {
    const address = this.#client.addressOf(node);
    const topics: FetchTopic[] = Array.from(
      Map.groupBy(feeds, ({ topicId }) => topicId),
      ([id, of]) => ({ id, partitions: of.map(({ partition, next }) => ({ partition, offset: next })) }),
    );
    const limits = { waitMs, bytesMax: FETCH_BYTES_MAX, partitionBytesMax: PARTITION_BYTES_MAX };
    let answer: readonly Fetched[];
    try {
      answer = await this.#connections.send(address, fetchRecords, limits, topics);
    } catch (error) {
      this.#client.failed(address);
      throw error;
    }
    const byName = new Map(feeds.map((feed) => [`${feed.topicId}/${feed.partition}`, feed]));
    let bytes = 0;
    for (const fetched of answer) {
      bytes += fetched.data.length;
      const feed = byName.get(`${fetched.topicId}/${fetched.partition}`);
      if (feed && this.#feeds.has(feed)) await this.#take(feed, fetched);
    }
    this.#news.all();
    // One wait for all of them: a broker that has just started, or lost its leadership, says the same of each.
    if (feeds.some(({ leader }) => leader < 0)) {
      await this.#client.pause(this.#signal);
      this.#lookForLeaders();
    }
    return bytes;
  }

  async #take(feed: Feed, fetched: Fetched): Promise<void> {
    const { code } = fetched;
    if (code === CODE.none) return feed.add(fetched);
    if (code === CODE.offsetOutOfRange) await this.#assertInRange(feed);
    const fault = faultOf(code, `read ${feed.name}`, this.#client.user);
    if (!isRetryable(fault) && code !== CODE.offsetOutOfRange) throw fault;
    feed.leader = -1;
  }

  /** A new leader may know less of the log's end for a moment; what it says for seconds is so. */
  async #assertInRange({ topic, partition, name, next }: Feed): Promise<void> {
    const { clock } = this.#client.options;
    const until = clock.now() + BELIEVED_AFTER_MS;
    while (!this.#isOver) {
      const start = (await findOffsets(this.#client, [{ topic, partition }], EARLIEST)).get(name)!;
      const end = (await findOffsets(this.#client, [{ topic, partition }], LATEST)).get(name)!;
      if (next >= start && next <= end) return;
      if (next < start || clock.now() > until) {
        throw new OffsetOutOfRangeError(topic, partition, next, start, end);
      }
      await this.#client.pause(this.#signal);
    }
  }
}

const madeAnew = (topic: string): UserError =>
  new UserError(`the topic ${topic} was made anew while it was read`, LOG_MADE_ANEW_REMEDY);
