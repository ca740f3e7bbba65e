// Reading on in many partitions: bounded batches in which every partition has its share.
import type { Clock } from '../../lib/clock.ts';
import {
  type BrokerRecord,
  OffsetOutOfRangeError,
  type ReadBatch,
  type ReadOptions,
  type TopicPartition,
  topicPartition,
} from './broker.ts';
import type { KafkaClient } from './kafka-client.ts';
import { Feed } from './kafka-feed.ts';
import type { KafkaFetcher } from './kafka-fetcher.ts';
import { committedOffsets, EARLIEST, findOffsets, LATEST, type Place } from './kafka-offsets.ts';

const RECORDS_MAX = 2_000;
const BYTES_MAX = 2 << 20;
/** So long the first batch waits for every broker's first answer, so that it does not hold one broker's alone. */
const FIRST_ANSWERS_MS = 250;

type Commit = (reached: ReadonlyMap<Feed, number>) => Promise<void>;

/** What a batch may still hold. */
interface Room {
  records: number;
  bytes: number;
}

/** Feeds for these partitions, each from where it is to be read. Rejects with OffsetOutOfRangeError. */
export async function openFeeds(
  client: KafkaClient,
  { group, from = new Map() }: Pick<ReadOptions, 'group' | 'from'>,
  places: readonly Place[],
): Promise<readonly Feed[]> {
  if (places.length === 0) return [];
  const names = places.map(({ topic, partition }) => topicPartition(topic, partition));
  const given = typeof from === 'function' ? await from(names) : from;
  const isCommittedNeeded = names.some((name) => !given.has(name));
  const [committed, starts, ends, infos] = await Promise.all([
    isCommittedNeeded ? committedOffsets(client, group) : new Map<TopicPartition, number>(),
    findOffsets(client, places, EARLIEST),
    findOffsets(client, places, LATEST),
    client.existing([...new Set(places.map(({ topic }) => topic))]),
  ]);
  return places.map((place, index) => {
    const name = names[index]!;
    const [start, end] = [starts.get(name)!, ends.get(name)!];
    const next = given.get(name) ?? committed.get(name) ?? start;
    if (next < start || next > end) {
      throw new OffsetOutOfRangeError(place.topic, place.partition, next, start, end);
    }
    return new Feed(place, infos.get(place.topic)!.id, next, end);
  });
}

export class KafkaReader {
  readonly #fetcher: KafkaFetcher;
  readonly #clock: Clock;
  readonly #room: Readonly<Room>;
  readonly #commit: Commit;
  #feeds: Feed[] = [];
  /** Handed out and not acknowledged yet: the place after it. */
  readonly #handed = new Map<Feed, number>();
  /** Which feed is first in the next batch. */
  #first = 0;

  constructor(
    fetcher: KafkaFetcher,
    clock: Clock,
    { recordsMax = RECORDS_MAX, bytesMax = BYTES_MAX }: Pick<ReadOptions, 'recordsMax' | 'bytesMax'>,
    commit: Commit,
  ) {
    this.#fetcher = fetcher;
    this.#clock = clock;
    this.#room = { records: recordsMax, bytes: bytesMax };
    this.#commit = commit;
  }

  get feeds(): readonly Feed[] {
    return this.#feeds;
  }

  add(feeds: readonly Feed[]): void {
    this.#feeds.push(...feeds);
    this.#fetcher.add(feeds);
  }

  /** Gives partitions up: nothing of them is handed out or committed any more. */
  remove(gone: readonly Feed[]): void {
    for (const feed of gone) {
      this.#fetcher.remove(feed);
      this.#handed.delete(feed);
    }
    this.#feeds = this.#feeds.filter((feed) => !gone.includes(feed));
  }

  /** The next batch of what was fetched, or null when there is nothing. */
  next(): ReadBatch | null {
    this.#fetcher.check();
    const behind = this.#behind();
    if (behind.length === 0) return null;
    const records: BrokerRecord[] = [];
    const room = { ...this.#room };
    for (const [index, feed] of behind.entries()) {
      const left = behind.length - index;
      const share = { records: Math.ceil(room.records / left), bytes: room.bytes / left };
      this.#take(feed, share, room, records);
    }
    this.#first++;
    this.#fetcher.emptied();
    const lag = new Map(this.#feeds.map((feed) => [feed.name, feed.lag]));
    const reached = new Map(this.#handed);
    return { records, lag, ack: () => this.#acknowledge(reached) };
  }

  /** Resolves when each feed has had an answer, or a moment has passed. */
  async firstAnswers(signal: AbortSignal): Promise<void> {
    const late = new AbortController();
    const both = AbortSignal.any([late.signal, signal]);
    void this.#clock.sleep(FIRST_ANSWERS_MS, both).then(() => late.abort());
    while (!both.aborted && this.#feeds.some(({ isAnswered }) => !isAnswered)) {
      this.#fetcher.check();
      await this.#fetcher.news(both);
    }
    late.abort();
  }

  async #acknowledge(reached: ReadonlyMap<Feed, number>): Promise<void> {
    const owned = new Map([...reached].filter(([feed]) => this.#handed.has(feed)));
    if (owned.size > 0) await this.#commit(owned);
    for (const [feed, next] of owned) if (this.#handed.get(feed) === next) this.#handed.delete(feed);
  }

  #behind(): readonly Feed[] {
    const { length } = this.#feeds;
    const behind: Feed[] = [];
    for (let i = 0; i < length; i++) {
      const feed = this.#feeds[(this.#first + i) % length]!;
      if (feed.peek() !== null) behind.push(feed);
    }
    return behind;
  }

  /** Moves the feed's share into `records`: at least one record if the batch has room for it. */
  #take(feed: Feed, share: Room, room: Room, records: BrokerRecord[]): void {
    let isFirst = true;
    while (share.records > 0) {
      const record = feed.peek();
      if (record === null) break;
      const bytes = sizeOf(record);
      const fits = bytes <= room.bytes && (bytes <= share.bytes || isFirst);
      if (!fits && records.length > 0) break;
      records.push(record);
      feed.take(record);
      isFirst = false;
      room.records--;
      room.bytes -= bytes;
      share.records--;
      share.bytes -= bytes;
    }
    if (!isFirst) this.#handed.set(feed, records.at(-1)!.offset + 1);
  }
}

/** About: characters of key and headers for bytes, which is near enough for a bound. */
function sizeOf({ key, value, headers }: BrokerRecord): number {
  let bytes = value.byteLength + (key?.length ?? 0);
  for (const name in headers) bytes += name.length + headers[name]!.length;
  return bytes;
}
