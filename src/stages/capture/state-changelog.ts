// The capture state in a compacted topic, for whoever takes over: see docs/decisions/capture-state-changelog.md.
import type { Topic } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import {
  type Broker,
  type BrokerRecord,
  type Claim,
  type OutgoingRecord,
  type PartitionState,
  topicPartition,
} from '../../stores/broker/broker.ts';
import { SHOP_DATABASES, type ShopDatabase } from '../../stores/shop/changes.ts';
import type { CaptureState, StateHead, StateRow } from './capture-state.ts';
import {
  type ChangelogPlace,
  headOf,
  headRecord,
  isHead,
  type ReadRow,
  rowKeyOf,
  rowOf,
  rowRecords,
} from './state-records.ts';

const GROUP = 'capture';
const APPEND_RECORDS = 1_000;
const APPEND_BYTES = 1 << 20;
const READ_RECORDS = 5_000;
/** Rows of one save, at most. */
const SAVE_ROWS_MAX = 100_000;
/** Rows of a snapshot between two heads. */
const SNAPSHOT_ROWS = 10_000;
/** Nothing younger than a day is compacted away (a setting of the topic): what a cut save stands for is there. */
const CUT_AGE_MS_MAX = 20 * 3_600_000;

export interface StateChangelogOptions {
  readonly broker: Pick<Broker, 'partitions' | 'read' | 'recordBytesMax'>;
  readonly topic: Topic;
  readonly database: ShopDatabase;
  readonly state: CaptureState;
  readonly clock: Clock;
}

/**
 * Each save is its rows and then a head, so that rows without one are of a save that was cut: they are never applied,
 * and whoever takes over writes what was before them again.
 */
export class StateChangelog {
  readonly #options: StateChangelogOptions;
  readonly #place: ChangelogPlace;
  /** Rows read since the last head, by row. */
  readonly #cut = new Map<string, ReadRow>();
  #claim: Claim | null = null;
  #next: number | null;
  #head: StateHead;
  #headsRead = 0;

  constructor(options: StateChangelogOptions) {
    const { broker, topic, database, state } = options;
    this.#options = options;
    this.#place = {
      topic: topic.name,
      partition: SHOP_DATABASES.indexOf(database),
      recordBytesMax: broker.recordBytesMax,
    };
    this.#next = state.changelogOffset();
    this.#head = state.head();
  }

  /** Keeps the state of a standby up to date until the signal aborts. */
  async follow(signal: AbortSignal): Promise<void> {
    const { state } = this.#options;
    // Whether a snapshot of ours still counts shows when we take over.
    if (state.unloggedSnapshot() !== null) return;
    for await (const records of this.#read(await this.#partition(), this.#next, signal)) this.#apply(records);
  }

  /**
   * Brings the state to the last whole save, with all partitions claimed. `compares`: the tables are going to be
   * compared with the state. Rejects with a UserError when what was before a cut save is not known any more.
   */
  async takeOver(claim: Claim, compares: boolean): Promise<void> {
    const { state } = this.#options;
    this.#claim = claim;
    const partition = await this.#partition();
    const snapshot = state.unloggedSnapshot();
    if (snapshot !== null) {
      const head = await this.#lastHead(partition);
      if (head?.publishing === snapshot) {
        this.#head = head;
        this.#next = partition.end;
        return;
      }
      // Another capture went on without it, or has all of it.
      state.clear();
      this.#next = null;
    }
    for await (const records of this.#readToEnd(partition, this.#next)) this.#apply(records);
    if (state.isTorn()) throw incomplete(this.#place);
    this.#head = state.head();
    this.#next = partition.end;
    await this.#undoCut(compares);
  }

  async #undoCut(compares: boolean): Promise<void> {
    const { state, clock } = this.#options;
    if (this.#cut.size === 0) return;
    const cut = [...this.#cut.values()];
    this.#cut.clear();
    const oldest = Math.min(...cut.map(({ touched }) => touched)) * 1_000;
    const isKnown = this.#headsRead === 0 || clock.now() - oldest < CUT_AGE_MS_MAX;
    if (isKnown) {
      const before = cut.map(({ kind, id }): StateRow => ({ kind, id, body: state.get(kind, id) }));
      await this.save(before, this.#head);
      state.adopt([], this.#head, this.#next!);
      return;
    }
    if (!compares) throw cutTooOld(this.#place);
    // Their events are in the log: the comparison begins with what was published.
    for (const { kind, id, body, incomplete: isPart } of cut) if (!isPart) state.put(kind, id, body ?? null);
  }

  /** Name of a snapshot that another capture was publishing when it ended, and that we do not have. */
  get foreignSnapshot(): string | null {
    const { publishing } = this.#head;
    return publishing === this.#options.state.unloggedSnapshot() ? null : publishing;
  }

  /** Appends a save; resolves, once it is durable, with the offset after it. */
  async save(rows: readonly StateRow[], head: StateHead): Promise<number> {
    if (rows.length > SAVE_ROWS_MAX) throw new Error(`${rows.length} rows in one save of the capture state`);
    await this.#appendRows(rows);
    await this.#appendHead(head);
    return this.#next!;
  }

  /** Says that a snapshot is about to be published: from then on nobody may go on without it. */
  announce(snapshot: string): Promise<void> {
    return this.#appendHead({ ...this.#head, publishing: snapshot });
  }

  /** Appends all rows of the announced snapshot, once it is published. */
  async saveSnapshot(): Promise<void> {
    const { state } = this.#options;
    let after: Pick<StateRow, 'id'> & { readonly kind: number } = { kind: 0, id: Number.NEGATIVE_INFINITY };
    for (;;) {
      const rows = state.snapshotRows(after, SNAPSHOT_ROWS);
      if (rows.length === 0) break;
      await this.#appendRows(rows);
      // So that whoever follows need not hold all of it.
      await this.#appendHead(this.#head);
      after = rows.at(-1)!;
    }
    await this.#appendHead({ ...state.head(), publishing: null });
    state.snapshotLogged(this.#next!);
  }

  async #appendRows(rows: readonly StateRow[]): Promise<void> {
    let records: OutgoingRecord[] = [];
    let bytes = 0;
    for (const row of rows) {
      for (const record of rowRecords(row, this.#place)) {
        records.push(record);
        bytes += record.value.byteLength;
      }
      if (records.length < APPEND_RECORDS && bytes < APPEND_BYTES) continue;
      await this.#append(records);
      [records, bytes] = [[], 0];
    }
    await this.#append(records);
  }

  async #appendHead(head: StateHead): Promise<void> {
    await this.#append([headRecord(head, this.#place)]);
    this.#head = head;
  }

  /** Nobody else writes here, so that our records stand one after the other. */
  async #append(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return;
    await this.#claim!.append(records);
    this.#next! += records.length;
  }

  /** Only up to the last head are rows known to be whole. */
  #apply(records: readonly BrokerRecord[]): void {
    const { state } = this.#options;
    const last = records.findLastIndex(isHead);
    for (const record of records.slice(0, last + 1)) this.#note(record);
    if (last >= 0) {
      const head = headOf(records[last]!);
      state.adopt(this.#takeCut(), head, records[last]!.offset + 1);
      this.#headsRead += 1;
    }
    for (const record of records.slice(last + 1)) this.#note(record);
    this.#next = records.at(-1)!.offset + 1;
    // No save is as large: their head was compacted away since, and a newer one is still to come.
    if (this.#cut.size > 2 * SAVE_ROWS_MAX) state.adopt(this.#takeCut(), null, this.#next);
  }

  #note(record: BrokerRecord): void {
    if (isHead(record)) return;
    const key = rowKeyOf(record);
    this.#cut.set(key, rowOf(record, this.#cut.get(key)));
  }

  #takeCut(): readonly ReadRow[] {
    const rows = [...this.#cut.values()];
    this.#cut.clear();
    return rows;
  }

  async #lastHead(partition: PartitionState): Promise<StateHead | null> {
    let head: StateHead | null = null;
    for await (const records of this.#readToEnd(partition, this.#next)) {
      const last = records.findLast(isHead);
      if (last) head = headOf(last);
    }
    return head;
  }

  async #partition(): Promise<PartitionState> {
    const { topic, partition } = this.#place;
    return (await this.#options.broker.partitions(topic))[partition]!;
  }

  async *#readToEnd(partition: PartitionState, from: number | null): AsyncIterable<readonly BrokerRecord[]> {
    const { tail } = partition;
    if (tail === null || (from ?? partition.start) > tail.offset) return;
    const done = new AbortController();
    try {
      for await (const records of this.#read(partition, from, done.signal)) {
        yield records;
        if (records.at(-1)!.offset >= tail.offset) return;
      }
    } finally {
      done.abort();
    }
  }

  async *#read(
    { start }: PartitionState,
    from: number | null,
    signal: AbortSignal,
  ): AsyncIterable<readonly BrokerRecord[]> {
    const { broker } = this.#options;
    const { topic, partition } = this.#place;
    // The other databases' partitions are read as well, from their ends.
    const offsets = new Map(
      (await broker.partitions(topic)).map((state) => [topicPartition(topic, state.partition), state.end]),
    );
    offsets.set(topicPartition(topic, partition), from ?? start);
    const options = { topics: [topic], group: GROUP, from: offsets, recordsMax: READ_RECORDS, signal };
    for await (const batch of broker.read(options)) {
      const ours = batch.records.filter((record) => record.partition === partition);
      if (ours.length > 0) yield ours;
    }
  }
}

const START_OVER = 'Start over with `instashop reset`.';

const incomplete = ({ topic, partition }: ChangelogPlace): UserError =>
  new UserError(`${topic}/${partition} ends in the middle of a save that it once had whole`, START_OVER);

const cutTooOld = ({ topic, partition }: ChangelogPlace): UserError =>
  new UserError(
    `${topic}/${partition} ends with a save that was cut more than a day ago: what it replaced is not kept so long`,
    'Start once with --resnapshot: the tables are compared with what was published, and only the differences are ' +
      'published.',
  );
