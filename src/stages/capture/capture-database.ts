// One database's changes into the log.
import { CAPTURED_TOPICS, HEADERS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { commitOf, type Position, positionOf } from '../../lib/position.ts';
import type { StageCounts } from '../../lib/stage.ts';
import {
  type Broker,
  LOG_MADE_ANEW_REMEDY,
  type OutgoingRecord,
  topicPartition,
} from '../../stores/broker/broker.ts';
import { lastWritten } from '../../stores/broker/last-written.ts';
import type { ChangeFeed, ChangeSet, ShopDatabase } from '../../stores/shop/changes.ts';
import type { ShopNames } from '../../stores/shop/shop-names.ts';
import { Assembler } from './assembler.ts';
import { type CapturePlace, CaptureState } from './capture-state.ts';
import { isDeadLetter, isPublished, recordOf } from './records.ts';
import { takeSnapshot } from './snapshot.ts';

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
  readonly broker: Pick<Broker, 'append' | 'partitions' | 'read' | 'recordBytesMax'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly dir: string;
  readonly mainCurrency: string;
  /** Databases whose tables are still to be compared with what was published; taken out when that is durable. */
  readonly resnapshot: Set<ShopDatabase>;
  readonly retentionMs: number;
  readonly counts: StageCounts;
  readonly report: (figures: DatabaseFigures) => void;
}

/** Runs until the signal aborts; state, feed and log agree at every moment it may be killed at. */
export async function captureDatabase(parts: DatabaseParts, signal: AbortSignal): Promise<void> {
  const state = new CaptureState(parts.dir, parts.feed.database, parts.clock, parts.retentionMs);
  try {
    const work = new DatabaseCapture(parts, state);
    await work.start();
    await work.run(signal);
  } catch (error) {
    throw state.fault(error);
  } finally {
    state.close();
  }
}

class DatabaseCapture {
  readonly #parts: DatabaseParts;
  readonly #state: CaptureState;
  readonly #assembler: Assembler;
  readonly #tails = new Map<string, Position>();
  #place!: CapturePlace;
  #savedPlace!: CapturePlace;
  #savedAt: number;
  #taking = false;

  constructor(parts: DatabaseParts, state: CaptureState) {
    this.#parts = parts;
    this.#state = state;
    this.#assembler = new Assembler(state, parts.names, parts.broker.recordBytesMax);
    this.#savedAt = parts.clock.now();
  }

  async start(): Promise<void> {
    const { feed, broker, log, resnapshot } = this.#parts;
    const topicIds: string[] = [];
    for (const { name } of CAPTURED_TOPICS) {
      for (const record of await lastWritten(broker, name)) {
        const position = record?.headers[HEADERS.position];
        if (record && position) this.#tails.set(topicPartition(name, record.partition), position);
      }
      topicIds.push((await broker.partitions(name))[0]!.topicId);
    }
    const place = this.#state.place();
    this.#verify(place, topicIds.join(' '));
    // What an earlier snapshot left to publish comes before anything of another one.
    await this.#publishSpool();
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
          topicIds: topicIds.join(' '),
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
    this.#savedPlace = this.#place;
    await this.#publishSpool();
  }

  /** Positions of another server or mode may be lower than those in the log: they would be taken for published. */
  #verifyRising(commit: bigint): void {
    const { database } = this.#parts.feed;
    const highest = this.#ownTails().toSorted().at(-1);
    if (highest === undefined || commit > commitOf(highest)) return;
    throw new UserError(
      `the changes of ${database} have lower positions than the log: another server, an older state of it, or ` +
        'another mode of capture',
      'Start over with `instashop reset`.',
    );
  }

  #ownTails(): readonly Position[] {
    const { database } = this.#parts.feed;
    const own = database === 'instashop' ? CAPTURED_TOPICS.slice(0, 1) : CAPTURED_TOPICS.slice(1);
    const names = new Set<string>(own.map(({ name }) => name));
    return [...this.#tails].filter(([key]) => names.has(key.split('/')[0]!)).map(([, position]) => position);
  }

  #verify(place: CapturePlace | null, topicIds: string): void {
    const { database } = this.#parts.feed;
    const remembered = this.#state.topicIds();
    if (place !== null && remembered !== topicIds) {
      throw new UserError(
        `the log was made anew: the capture state of ${database} belongs to another one`,
        LOG_MADE_ANEW_REMEDY,
      );
    }
    if (place === null && this.#ownTails().length > 0) {
      throw new UserError(
        `the log holds events of ${database}, but the capture state that belongs to them is missing`,
        'Bring the state back from a backup, or start over with `instashop reset`.',
      );
    }
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
    const ended = new AbortController();
    const until = AbortSignal.any([signal, ended.signal]);
    const watch = this.#watch(until).finally(() => ended.abort());
    watch.catch(() => {});
    try {
      for await (const sets of this.#parts.feed.read(until)) {
        this.#taking = true;
        await this.#take(sets);
        this.#taking = false;
      }
    } finally {
      ended.abort();
      await watch;
    }
    this.#save();
  }

  /** Saves what is left when the feed falls quiet, and asks how far behind we are. Rejects when it cannot save. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { feed, clock, report } = this.#parts;
    while (!signal.aborted) {
      await clock.sleep(SAVE_INTERVAL_MS, signal);
      if (signal.aborted) return;
      // While sets are taken the state is ahead of the place, and what is saved then could not be taken again.
      if (!this.#taking && this.#isDue()) this.#save();
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
    let reached = this.#place;
    const flush = async () => {
      await this.#append(records);
      records = [];
      this.#place = reached;
      if (this.#state.dirtyCount > DIRTY_ROWS_MAX || this.#isDue()) this.#save();
    };
    await this.#assembler.prepare(sets);
    for (const set of sets) {
      if (!this.#isNew(set, reached)) continue;
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
      reached = {
        commit: set.commit,
        part: set.part,
        acknowledged: set.last ? set.ackTo : reached.acknowledged,
      };
      if (set.xid !== '') counts.newestAt = Math.max(counts.newestAt ?? 0, set.committedAt);
      if (records.length >= APPEND_RECORDS) await flush();
    }
    await flush();
  }

  /** A set at or below the place is in the state already, so it must not meet it again. */
  #isNew({ commit, part }: ChangeSet, { commit: reached, part: reachedPart }: CapturePlace): boolean {
    return commit > reached || (commit === reached && part > reachedPart);
  }

  async #append(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#parts.broker.append(records);
    const refused = records.filter(isDeadLetter).length;
    this.#parts.counts.deadLetters += refused;
    this.#parts.counts.processed += records.length - refused;
  }

  #isDue(): boolean {
    if (this.#place === this.#savedPlace) return false;
    const waited = this.#parts.clock.now() - this.#savedAt;
    return waited >= (this.#state.dirtyCount > 0 ? SAVE_INTERVAL_MS : LIFE_INTERVAL_MS);
  }

  /** Makes the place durable, then tells the shop: never the other way round. */
  #save(): void {
    if (this.#place === this.#savedPlace) return;
    this.#state.save(this.#place);
    this.#savedPlace = this.#place;
    this.#savedAt = this.#parts.clock.now();
    this.#parts.feed.ack(this.#place.acknowledged);
  }
}
