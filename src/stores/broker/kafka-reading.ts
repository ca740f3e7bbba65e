// One `read` from its beginning to its end: alone over all partitions, or as a member of a group that shares them.
import type { ReadBatch, ReadOptions, TopicPartition } from './broker.ts';
import type { KafkaClient } from './kafka-client.ts';
import type { Feed } from './kafka-feed.ts';
import { KafkaFetcher } from './kafka-fetcher.ts';
import { type Grant, GroupMember } from './kafka-group.ts';
import { allPlaces, commitOnce, NO_MEMBER, placeOf } from './kafka-offsets.ts';
import { KafkaReader, openFeeds } from './kafka-reader.ts';

/** Unless the reader says how long: see ReadOptions. */
const GATHER_MS = 20;

export class Reading {
  readonly #client: KafkaClient;
  readonly #options: ReadOptions;
  readonly #ended = new AbortController();
  readonly #signal: AbortSignal;
  readonly #fetcher: KafkaFetcher;
  readonly #reader: KafkaReader;
  readonly #member: GroupMember | null;
  readonly #grants = new Map<Feed, Grant>();
  #owned: ReadonlyMap<TopicPartition, Grant> | null = null;

  constructor(client: KafkaClient, options: ReadOptions, closing: AbortSignal) {
    const { group, topics, shared = false, signal } = options;
    this.#client = client;
    this.#options = options;
    this.#signal = AbortSignal.any([signal, closing, this.#ended.signal]);
    this.#fetcher = new KafkaFetcher(client, options.gatherMs ?? GATHER_MS, this.#signal);
    this.#member =
      shared && !this.#signal.aborted
        ? new GroupMember(client, group, topics, () => this.#fetcher.wake())
        : null;
    this.#reader = new KafkaReader(this.#fetcher, client.options.clock, options, (reached) =>
      this.#commit(reached),
    );
    // The batch in hand is finished and committed first: `batches` returns then, and `end` is called.
    if (this.#member) signal.addEventListener('abort', () => void this.#member?.leaveSoon(), { once: true });
  }

  async *batches(): AsyncGenerator<ReadBatch> {
    const signal = this.#signal;
    while (!signal.aborted) {
      const batch = await this.#next();
      if (signal.aborted) return;
      if (batch) yield batch;
      else await this.#fetcher.news(signal);
    }
  }

  /** Stops reading and leaves the group. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#member?.leave();
  }

  async #next(): Promise<ReadBatch | null> {
    try {
      await this.#untilAborted(this.#member === null ? this.#openAll() : this.#followGroup(this.#member));
      return this.#signal.aborted ? null : this.#reader.next();
    } catch (error) {
      if (this.#signal.aborted) return null;
      throw error;
    }
  }

  /** Ends at once when the signal aborts, also while no broker answers. */
  async #untilAborted(action: Promise<void>): Promise<void> {
    const done = new AbortController();
    const aborted = new Promise<void>((resolve) => {
      this.#signal.addEventListener('abort', () => resolve(), { once: true, signal: done.signal });
    });
    await Promise.race([action, aborted]).finally(() => done.abort());
  }

  async #openAll(): Promise<void> {
    if (this.#owned !== null) return;
    const places = await allPlaces(this.#client, this.#options.topics);
    this.#reader.add(await openFeeds(this.#client, this.#options, places));
    this.#owned = new Map();
    await this.#reader.firstAnswers(this.#signal);
  }

  /** Reads what the group gives this member, from the place where whoever had it before stopped. */
  async #followGroup(member: GroupMember): Promise<void> {
    member.check();
    while (this.#owned !== member.owned && !this.#signal.aborted) {
      const { owned } = member;
      const feeds = this.#reader.feeds;
      const gone = feeds.filter((feed) => owned.get(feed.name) !== this.#grants.get(feed));
      this.#reader.remove(gone);
      for (const feed of gone) this.#grants.delete(feed);
      member.seen(owned);
      const kept = new Set(this.#reader.feeds.map(({ name }) => name));
      const gained = [...owned.keys()].filter((name) => !kept.has(name));
      const opened = await openFeeds(this.#client, this.#options, gained.map(placeOf));
      // What changed hands again meanwhile is opened again, from wherever the other came to.
      const still = opened.filter(({ name }) => member.owned.get(name) === owned.get(name));
      for (const feed of still) this.#grants.set(feed, owned.get(feed.name)!);
      this.#reader.add(still);
      this.#owned = owned;
      if (still.length > 0) await this.#reader.firstAnswers(this.#signal);
      member.check();
    }
  }

  async #commit(reached: ReadonlyMap<Feed, number>): Promise<void> {
    if (this.#member) return this.#member.commit(reached, this.#grants);
    const offsets = new Map(Array.from(reached, ([feed, next]) => [feed.name, next]));
    await this.#client.retrying(() => commitOnce(this.#client, this.#options.group, NO_MEMBER, offsets));
  }
}
