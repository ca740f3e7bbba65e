// The broker for one machine: one SQLite file that any number of its processes read and append to.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type Nudge, openNudge } from '../../lib/nudge.ts';
import { isRetryable } from '../../lib/retry.ts';
import {
  type Broker,
  type Claim,
  type OutgoingRecord,
  type PartitionState,
  type ReadBatch,
  type ReadOptions,
  RecordTooLargeError,
  type TopicPartition,
} from './broker.ts';
import { GroupCommit, type Work } from './group-commit.ts';
import { cleanLog } from './sqlite-cleaning.ts';
import { type Partition, SqliteLog, type StoredRecord } from './sqlite-log.ts';
import { readTail, SqliteReader } from './sqlite-reader.ts';
import { nextTurn, Wake } from './wake.ts';

const RETENTION_MS = 7 * 86_400_000;
const RETENTION_BYTES = 2 ** 30;
const RECORD_BYTES_MAX = 1_000_000;
const CLEAN_EVERY_MS = 10_000;
/**
 * How often the file is looked at without a nudge. A nudge is missing only when a process was killed between commit and
 * nudge, or where files cannot be watched.
 */
const LOOK_EVERY_MS = 1_000;
/** Rows that a search by time looks at before it lets others run. */
const SEARCH_STEP = 20_000;

export interface SqliteBrokerOptions {
  /** Folder of `log.db`; made when missing. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Records older than this are removed. Default 7 days. */
  readonly retentionMs?: number;
  /** Other ages than that, by topic: a compacted topic whose keys do not come again has no other bound. */
  readonly retentionMsByTopic?: Readonly<Record<string, number>>;
  /** Bytes of records a topic keeps; compacted topics have no such bound. Default 1 GiB. */
  readonly retentionBytes?: number;
  readonly recordBytesMax?: number;
}

/** Opens (and makes) the log. A damaged file, or one of another version, is a UserError. Close it in the end. */
export function sqliteBroker(options: SqliteBrokerOptions): Broker {
  mkdirSync(options.dir, { recursive: true });
  return new SqliteBroker(options);
}

class SqliteBroker implements Broker {
  readonly recordBytesMax: number;
  readonly #options: SqliteBrokerOptions;
  readonly #log: SqliteLog;
  readonly #nudge: Nudge;
  readonly #wake = new Wake();
  readonly #commits = new GroupCommit((group) => this.#write(group));
  readonly #closing = new AbortController();
  readonly #upkeep: Promise<void>;

  constructor(options: SqliteBrokerOptions) {
    this.#options = options;
    this.recordBytesMax = options.recordBytesMax ?? RECORD_BYTES_MAX;
    this.#log = new SqliteLog(join(options.dir, 'log.db'), () => this.#wake.all());
    this.#nudge = openNudge(join(options.dir, 'log.nudge'), () => this.#look(), options.log);
    this.#upkeep = this.#keepUp(this.#closing.signal);
  }

  async createTopics(topics: Parameters<Broker['createTopics']>[0]): Promise<void> {
    this.#log.createTopics(topics);
  }

  async append(records: readonly OutgoingRecord[]): Promise<void> {
    if (records.length === 0) return;
    const now = this.#options.clock.now();
    const stored = records.map((record) => this.#stored(record, now));
    await this.#add({
      records: stored,
      bytes: stored.reduce((sum, { bytes }) => sum + bytes, 0),
      commit: null,
    });
  }

  async claim(): Promise<Claim> {
    return { append: (records) => this.append(records) };
  }

  async *read(given: ReadOptions): AsyncGenerator<ReadBatch> {
    const signal = AbortSignal.any([given.signal, this.#closing.signal]);
    if (signal.aborted) return;
    const options = { ...given, from: await this.#startOffsets(given) };
    const commit = (offsets: ReadonlyMap<Partition, number>) => this.#commit(options.group, offsets);
    const reader = new SqliteReader(this.#log, options, this.#committed(options.group), commit);
    while (!signal.aborted) {
      const batch = reader.next();
      if (batch !== null) yield batch;
      else await this.#wake.wait(signal);
      // A reader far behind, whose user never waits, must not keep everybody else from running.
      await nextTurn();
    }
  }

  async #startOffsets({
    topics,
    from = new Map(),
  }: ReadOptions): Promise<ReadonlyMap<TopicPartition, number>> {
    if (typeof from !== 'function') return from;
    return from(topics.flatMap((topic) => this.#log.partitions(topic).map(({ name }) => name)));
  }

  async partitions(topic: string): Promise<readonly PartitionState[]> {
    const partitions = this.#log.partitions(topic);
    return this.#log.snapshot(() =>
      partitions.map((partition) => {
        const { topicId, start, end } = partition;
        const tail = readTail(this.#log, partition);
        return { topic, partition: partition.partition, topicId, start, end, tail };
      }),
    );
  }

  /** Reads the partition from its start, in steps: retention bounds how long that takes. */
  async offsetAt(topic: string, partition: number, timeMs: number): Promise<number> {
    const { table } = this.#log.partition(topic, partition);
    const step = this.#log.prepare(
      `SELECT max("offset"), min(CASE WHEN timestamp >= ? THEN "offset" END)
       FROM (SELECT "offset", timestamp FROM ${table} WHERE "offset" >= ? ORDER BY "offset" LIMIT ${SEARCH_STEP})`,
    );
    for (let from = 0; ; await nextTurn()) {
      const [last, found] = step.get(timeMs, from) as unknown as readonly [number | null, number | null];
      if (found !== null) return found;
      if (last === null) {
        this.#log.refresh();
        return this.#log.partition(topic, partition).end;
      }
      from = last + 1;
    }
  }

  async committed(group: string): Promise<ReadonlyMap<TopicPartition, number>> {
    return this.#committed(group);
  }

  async commit(group: string, offsets: ReadonlyMap<TopicPartition, number>): Promise<void> {
    await this.#commit(
      group,
      new Map(
        [...offsets].map(([name, offset]) => {
          const slash = name.lastIndexOf('/');
          return [this.#log.partition(name.slice(0, slash), Number(name.slice(slash + 1))), offset];
        }),
      ),
    );
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await Promise.all([this.#commits.idle(), this.#upkeep]);
    this.#nudge.close();
    this.#log.close();
  }

  #stored({ topic, partition, key, value, headers, timestamp }: OutgoingRecord, now: number): StoredRecord {
    const text = JSON.stringify(headers);
    const noHeaders = text === '{}';
    const bytes =
      value.byteLength +
      (key === null ? 0 : Buffer.byteLength(key)) +
      (noHeaders ? 0 : Buffer.byteLength(text));
    if (bytes > this.recordBytesMax) throw new RecordTooLargeError(topic, bytes, this.recordBytesMax);
    return {
      partition: this.#log.partition(topic, partition),
      timestamp: timestamp ?? now,
      key,
      headers: noHeaders ? null : text,
      value,
      bytes,
    };
  }

  async #commit(group: string, offsets: ReadonlyMap<Partition, number>): Promise<void> {
    if (offsets.size > 0) await this.#add({ records: [], bytes: 0, commit: { group, offsets } });
  }

  #add(work: Work): Promise<void> {
    if (this.#closing.signal.aborted) throw new Error('the log is closed');
    return this.#commits.add(work);
  }

  #write(group: readonly Work[]): void {
    const batches = group.map(({ records }) => records).filter((records) => records.length > 0);
    const commits = group.flatMap(({ commit }) => commit ?? []);
    this.#log.write(batches, commits, batches.length > 0);
    if (batches.length > 0) this.#nudge.send();
  }

  #committed(group: string): ReadonlyMap<TopicPartition, number> {
    const rows = this.#log
      .prepare(`
        SELECT topic || '/' || partition, next_offset FROM _offsets JOIN _partitions ON id = partition_id
        WHERE consumer_group = ? ORDER BY id`)
      .all(group) as unknown as readonly (readonly [TopicPartition, number])[];
    return new Map(rows);
  }

  #look(): void {
    if (this.#closing.signal.aborted) return;
    try {
      this.#log.refresh();
    } catch (error) {
      this.#options.log.warn('cannot look at the log', { error });
    }
  }

  async #keepUp(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const retention = {
      ageMs: this.#options.retentionMs ?? RETENTION_MS,
      ageMsByTopic: this.#options.retentionMsByTopic ?? {},
      topicBytes: this.#options.retentionBytes ?? RETENTION_BYTES,
    };
    let cleanedAt = clock.now();
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal);
      this.#look();
      if (signal.aborted || clock.now() - cleanedAt < CLEAN_EVERY_MS) continue;
      cleanedAt = clock.now();
      try {
        await cleanLog(this.#log, retention, cleanedAt, signal);
      } catch (error) {
        const { log } = this.#options;
        if (isRetryable(error)) log.warn('cleaning the log is put off', { error });
        else log.error('cannot clean the log', { error });
      }
    }
  }
}
