// One database's changes into the log.
import { CAPTURED_TOPICS, HEADERS, type Topic } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { commitOf, type Position, positionOf } from '../../lib/position.ts';
import type { StageCounts } from '../../lib/stage.ts';
import {
  type Broker,
  type Claim,
  LOG_MADE_ANEW_REMEDY,
  type OutgoingRecord,
  topicPartition,
} from '../../stores/broker/broker.ts';
import { lastWritten } from '../../stores/broker/last-written.ts';
import type { ChangeFeed, ChangeSet, ShopDatabase } from '../../stores/shop/changes.ts';
import type { ShopNames } from '../../stores/shop/shop-names.ts';
import { Assembler } from './assembler.ts';
import { type CapturePlace, CaptureState } from './capture-state.ts';
import { claimOf, topicsOf, waitForFeed } from './hot-standby.ts';
import { isDeadLetter, isPublished, recordOf } from './records.ts';
import { takeSnapshot } from './snapshot.ts';
import { StateChangelog } from './state-changelog.ts';

/** The state is saved, and the shop told, this often at least while something changes, */
const SAVE_INTERVAL_MS = 1_000;
/** and this often when only signs of life come, */
const LIFE_INTERVAL_MS = 10_000;
/** and before so many rows are held in memory. */
const DIRTY_ROWS_MAX = 20_000;
/** Records appended at a time: between them the other stages of the process have their turn. */
const APPEND_RECORDS = 1_000;
/** Room for the events of one part (at most two a row and a dead letter an item) in the ordinal of a position. */
const PART_ORDINALS = 0x100000;

export interface DatabaseFigures {
  readonly [name: string]: number;
  readonly behind: number;
}

export interface DatabaseParts {
  readonly feed: ChangeFeed;
  readonly names: ShopNames;
  readonly broker: Pick<Broker, 'claim' | 'partitions' | 'read' | 'recordBytesMax'>;
  /** Where the state is kept for whoever takes over; null: nobody can. */
  readonly stateTopic: Topic | null;
  readonly clock: Clock;
  readonly log: Log;
  readonly dir: string;
  readonly mainCurrency: string;
  /** Databases whose tables are still to be compared with what was published; taken out when that is durable. */
  readonly resnapshot: Set<ShopDatabase>;
  readonly retentionMs: number;
  readonly counts: StageCounts;
  readonly report: (figures: DatabaseFigures) => void;
  /** Databases that another capture works on. */
  readonly waiting: Set<ShopDatabase>;
}

/** Runs until the signal aborts; state, feed and log agree at every moment it may be killed at. */
export async function captureDatabase(parts: DatabaseParts, signal: AbortSignal): Promise<void> {
  const { broker, clock, dir, feed, retentionMs, stateTopic: topic, waiting } = parts;
  const { database } = feed;
  const state = new CaptureState(dir, database, clock, retentionMs);
  try {
    const topicIds = await topicIdsOf(parts);
    verifyTopics(state, database, topicIds);
    const changelog = topic && new StateChangelog({ broker, topic, database, state, clock });
    if (!(await waitForFeed(feed, changelog, () => waiting.add(database), signal))) return;
    waiting.delete(database);
    const work = new DatabaseCapture(parts, state, changelog);
    await work.start(topicIds);
    await work.run(signal);
  } catch (error) {
    throw state.fault(error);
  } finally {
    waiting.delete(database);
    await feed.release();
    state.close();
  }
}

async function topicIdsOf({ broker, stateTopic }: DatabaseParts): Promise<string> {
  const topics = stateTopic ? [...CAPTURED_TOPICS, stateTopic] : CAPTURED_TOPICS;
  const ids = await Promise.all(topics.map(async ({ name }) => (await broker.partitions(name))[0]!.topicId));
  return ids.join(' ');
}

function verifyTopics(state: CaptureState, database: ShopDatabase, topicIds: string): void {
  const remembered = state.topicIds();
  if (remembered === null || remembered === topicIds) return;
  throw new UserError(
    `the log was made anew: the capture state of ${database} belongs to another one`,
    LOG_MADE_ANEW_REMEDY,
  );
}

class DatabaseCapture {
  readonly #parts: DatabaseParts;
  readonly #state: CaptureState;
  readonly #changelog: StateChangelog | null;
  readonly #assembler: Assembler;
  readonly #tails = new Map<string, Position>();
  /** What is in the log. */
  #place!: CapturePlace;
  /** What the state has; ahead of the place while an append is under way. */
  #reached!: CapturePlace;
  #savedPlace!: CapturePlace;
  #savedAt: number;
  #taking = false;
  #claim!: Claim;
  /**
   * The append under way: what comes next is made ready meanwhile, but sent only when this one is in the log, since
   * a place in a partition stands for everything before it.
   */
  #publishing: Promise<void> = Promise.resolve();
  /** The save under way: with a changelog, capture goes on meanwhile. */
  #saving: Promise<void> = Promise.resolve();
  readonly #ended = new AbortController();

  constructor(parts: DatabaseParts, state: CaptureState, changelog: StateChangelog | null) {
    this.#parts = parts;
    this.#state = state;
    this.#changelog = changelog;
    this.#assembler = new Assembler(state, parts.names, parts.broker.recordBytesMax);
    this.#savedAt = parts.clock.now();
  }

  /** With the feed ours. Nothing that anybody before us wrote can enter the log after the claim: then tails count. */
  async start(topicIds: string): Promise<void> {
    const { feed, broker, log, resnapshot, stateTopic } = this.#parts;
    this.#claim = await broker.claim(...claimOf(feed.database, stateTopic));
    await this.#changelog?.takeOver(this.#claim, resnapshot.has(feed.database));
    for (const { name } of topicsOf(feed.database)) {
      for (const record of await lastWritten(broker, name)) {
        const position = record?.headers[HEADERS.position];
        if (record && position) this.#tails.set(topicPartition(name, record.partition), position);
      }
    }
    verifyTopics(this.#state, feed.database, topicIds);
    const place = this.#state.place();
    this.#verify(place);
    // What an earlier snapshot left to publish comes before anything of another one.
    await this.#publishSnapshot();
    const memory = place === null || resnapshot.has(feed.database) ? null : place;
    const snapshot = await feed.open(memory);
    if (snapshot !== null) {
      log.info('reading the tables', { database: feed.database });
      try {
        this.#verifyRising(snapshot.commit);
        await takeSnapshot({
          database: feed.database,
          snapshot,
          state: this.#state,
          assembler: this.#assembler,
          mainCurrency: this.#parts.mainCurrency,
          topicIds,
          toRecord: (draft, position) =>
            recordOf(draft, position, { recordBytesMax: broker.recordBytesMax, snapshot: true }),
          progress: (rows) => log.info('reading the tables', { database: feed.database, rows }),
        });
        resnapshot.delete(feed.database);
      } finally {
        await snapshot.close();
      }
    }
    this.#place = this.#state.place()!;
    this.#reached = this.#place;
    this.#savedPlace = this.#place;
    await this.#publishSnapshot();
  }

  /** Positions of another server or mode may be lower than those in the log: they would be taken for published. */
  #verifyRising(commit: bigint): void {
    const { database } = this.#parts.feed;
    const highest = [...this.#tails.values()].toSorted().at(-1);
    if (highest === undefined || commit > commitOf(highest)) return;
    throw new UserError(
      `the changes of ${database} have lower positions than the log: another server, an older state of it, or ` +
        'another mode of capture',
      'Start over with `instashop reset`.',
    );
  }

  #verify(place: CapturePlace | null): void {
    const { database } = this.#parts.feed;
    const tails = [...this.#tails.values()];
    const foreign = this.#changelog?.foreignSnapshot ?? null;
    if (foreign !== null && tails.some((tail) => commitOf(tail) >= BigInt(foreign.split('/')[0]!))) {
      throw new UserError(
        `another capture was publishing a snapshot of ${database} when it ended, and has the rest of it`,
        'Start that one again, with its data folder: it goes on. If the folder is lost, use `instashop reset`.',
      );
    }
    if (place === null && tails.length > 0) {
      throw new UserError(
        `the log holds events of ${database}, but the capture state that belongs to them is missing`,
        'Bring the state back from a backup, or start over with `instashop reset`.',
      );
    }
  }

  /** What of a snapshot is not in the log yet: its events, then its rows for whoever takes over. */
  async #publishSnapshot(): Promise<void> {
    const unlogged = this.#changelog && this.#state.unloggedSnapshot();
    if (unlogged !== null) await this.#changelog!.announce(unlogged);
    await this.#publishSpool();
    if (unlogged !== null) await this.#changelog!.saveSnapshot();
  }

  async #publishSpool(): Promise<void> {
    let after = -1;
    for (;;) {
      const [records, next] = this.#state.spooled(after, APPEND_RECORDS);
      if (records.length === 0) break;
      after = next;
      await this.#append(records.filter((record) => !isPublished(record, this.#tails)));
    }
    if (after >= 0) this.#state.clearSpool();
  }

  async run(signal: AbortSignal): Promise<void> {
    const until = AbortSignal.any([signal, this.#ended.signal]);
    const watch = this.#watch(until).finally(() => this.#ended.abort());
    watch.catch(() => {});
    try {
      for await (const sets of this.#parts.feed.read(until)) {
        this.#taking = true;
        await this.#take(sets);
        this.#taking = false;
      }
    } finally {
      this.#ended.abort();
      await Promise.allSettled([this.#saving, this.#publishing]);
      await watch;
    }
    await this.#publishing;
    await this.#saving;
    await this.#save();
  }

  /** Saves what is left when the feed falls quiet, and asks how far behind we are. Rejects when it cannot save. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { feed, clock, report } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(SAVE_INTERVAL_MS, signal);
      if (signal.aborted) return;
      // While the state is ahead of the place, what is saved could not be taken again.
      await this.#saving;
      await this.#publishing;
      if (!this.#taking && this.#reached === this.#place && this.#isDue()) this.#beginSave();
      try {
        const { behind, retainedWalBytes } = await feed.lag(this.#place.acknowledged);
        report({
          behind,
          retained_wal_bytes: retainedWalBytes,
          looked_up_sales: this.#assembler.lookedUp,
        });
      } catch {
        // A fault here shows where the feed is read as well, and is handled there.
      }
    }
  }

  async #take(sets: readonly ChangeSet[]): Promise<void> {
    const { broker, clock, feed, mainCurrency, counts } = this.#parts;
    const options = { recordBytesMax: broker.recordBytesMax, snapshot: false };
    let records: OutgoingRecord[] = [];
    const flush = async () => {
      await this.#publish(records);
      records = [];
      if (!this.#isFull() && !this.#isDue()) return;
      // What is saved is the state as of the place, so they must be at the same point.
      await this.#publishing;
      await this.#saving;
      this.#beginSave();
    };
    await this.#assembler.prepare(sets);
    for (const set of sets) {
      if (!this.#isNew(set, this.#reached)) continue;
      const occasion = {
        database: feed.database,
        version: set.xid,
        committedAt: set.committedAt,
        capturedAt: clock.now(),
        mainCurrency,
      };
      const drafts = set.changes.length > 0 ? await this.#assembler.assemble(set, occasion) : [];
      for (const [index, draft] of drafts.entries()) {
        const position = positionOf(set.commit, set.part * PART_ORDINALS + index);
        const record = recordOf(draft, position, options);
        if (record !== null && !isPublished(record, this.#tails)) records.push(record);
      }
      this.#reached = {
        commit: set.commit,
        part: set.part,
        acknowledged: set.last ? set.ackTo : this.#reached.acknowledged,
      };
      if (set.xid !== '') counts.newestAt = Math.max(counts.newestAt ?? 0, set.committedAt);
      if (records.length >= APPEND_RECORDS || this.#isFull()) await flush();
    }
    await flush();
  }

  /** A set at or below the place is in the state already, so it must not meet it again. */
  #isNew({ commit, part }: ChangeSet, { commit: reached, part: reachedPart }: CapturePlace): boolean {
    return commit > reached || (commit === reached && part > reachedPart);
  }

  /** Resolves when the records are on their way; the place moves on when they are in the log. */
  async #publish(records: readonly OutgoingRecord[]): Promise<void> {
    const place = this.#reached;
    await this.#publishing;
    this.#publishing = this.#append(records).then(() => {
      this.#place = place;
    });
    this.#publishing.catch(() => this.#ended.abort());
  }

  async #append(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#claim.append(records);
    const refused = records.filter(isDeadLetter).length;
    this.#parts.counts.deadLetters += refused;
    this.#parts.counts.processed += records.length - refused;
  }

  #isDue(): boolean {
    if (this.#reached === this.#savedPlace) return false;
    const waited = this.#parts.clock.now() - this.#savedAt;
    return waited >= (this.#state.dirtyCount > 0 ? SAVE_INTERVAL_MS : LIFE_INTERVAL_MS);
  }

  #isFull(): boolean {
    return this.#state.dirtyCount > DIRTY_ROWS_MAX;
  }

  /** Its fault ends the run, and is thrown by whoever awaits it. */
  #beginSave(): void {
    this.#savedAt = this.#parts.clock.now();
    this.#saving = this.#save();
    this.#saving.catch(() => this.#ended.abort());
  }

  /** Makes the place durable, for whoever takes over first, then tells the shop: never the other way round. */
  async #save(): Promise<void> {
    const place = this.#place;
    if (place === this.#savedPlace) return;
    this.#state.beginSave();
    let logged: number | null = null;
    if (this.#changelog !== null) {
      const rows = this.#state.savedRows();
      logged = await this.#changelog.save(rows, { ...this.#state.head(), place, publishing: null });
    }
    this.#state.finishSave(place, logged);
    this.#savedPlace = place;
    this.#parts.feed.ack(place.acknowledged);
  }
}
