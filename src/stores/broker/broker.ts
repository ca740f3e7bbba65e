// The broker port: partitioned, ordered, durable logs of records, read at one's own pace.

import type { Topic } from '../../contracts/topics.ts';
import { UserError } from '../../lib/errors.ts';

export type Headers = Readonly<Record<string, string>>;

export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string | null;
  /** Empty in a compacted topic: the key is removed in time, this record included. */
  readonly value: Uint8Array;
  readonly headers: Headers;
  /** Epoch ms; what `offsetAt` searches by. Absent: when it was appended. */
  readonly timestamp?: number;
}

export interface BrokerRecord extends OutgoingRecord {
  /** Rises by at least 1 within a partition; never used twice. */
  readonly offset: number;
  readonly timestamp: number;
}

/** `topic/partition`: how maps of offsets are keyed. */
export type TopicPartition = `${string}/${number}`;
export const topicPartition = (topic: string, partition: number): TopicPartition => `${topic}/${partition}`;

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** Made anew when a topic is created: offsets of another id mean nothing here. */
  readonly topicId: string;
  /**
   * Oldest offset that retention has left (equals `end` when empty). Of a compacted topic, records from here on may be
   * missing that a newer one of the same key stands for.
   */
  readonly start: number;
  /** Offset the next record will get. */
  readonly end: number;
  /** The newest record, null when the partition is empty (the SQLite log's retention never takes the newest). */
  readonly tail: BrokerRecord | null;
}

export interface ReadOptions {
  readonly topics: readonly string[];
  /** Consumer group: where its committed offsets are kept. */
  readonly group: string;
  /**
   * Next offset per partition; partitions not named go on from the group's committed offset, or the oldest record.
   * Given offsets outside [start, end] are an OffsetOutOfRangeError.
   */
  readonly from?: StartOffsets;
  /**
   * Share the partitions out among the readers of the group, each partition to one of them at a time (on one machine
   * there is one, and it gets all). Default: this reader gets all partitions, whoever else reads. Readers of a group
   * share, all or none.
   */
  readonly shared?: boolean;
  /** Upper bounds of one batch (a single larger record still comes, alone). */
  readonly recordsMax?: number;
  readonly bytesMax?: number;
  /**
   * After few records came, so long the next ones may gather, where many small requests cost a server much. Default
   * 20 ms; longer for readers that nobody waits for.
   */
  readonly gatherMs?: number;
  readonly signal: AbortSignal;
}

/**
 * Where to begin: known beforehand, or asked for the partitions that were just assigned, before any of them is read; in
 * a shared group, again whenever it hands this reader new ones, also such that it had before.
 */
export type StartOffsets =
  | ReadonlyMap<TopicPartition, number>
  | ((assigned: readonly TopicPartition[]) => Promise<ReadonlyMap<TopicPartition, number>>);

export interface ReadBatch {
  /** In offset order within each partition. Never empty. */
  readonly records: readonly BrokerRecord[];
  /** Records in the log beyond this batch, per partition read (0: the reader has caught up there). */
  readonly lag: ReadonlyMap<TopicPartition, number>;
  /**
   * Commits the group's offsets to just after this batch, those before it included. Call it only after what they
   * caused is durable downstream. Not calling it means the records come again after a restart. Of partitions that
   * were given to another reader meanwhile nothing is committed.
   */
  ack(): Promise<void>;
}

/** Records in the log beyond a batch, over all partitions that are read. */
export const totalLag = ({ lag }: Pick<ReadBatch, 'lag'>): number =>
  [...lag.values()].reduce((sum, records) => sum + records, 0);

/** The sole right of an owner to append to some partitions. */
export interface Claim {
  /** As Broker.append, to the claimed partitions only. Rejects with FencedError once somebody claimed them anew. */
  append(records: readonly OutgoingRecord[]): Promise<void>;
}

/** What to do where offsets or positions belong to a log that is no longer there. */
export const LOG_MADE_ANEW_REMEDY =
  'If the log was lost on purpose, start over with `instashop reset`; else bring the old log back.';

/**
 * One instance a process. All methods reject with a retryable error (lib/retry.ts) on a passing fault; an append that
 * rejected may or may not be in the log, all of it or (cluster only) some partitions of it.
 */
export interface Broker {
  /** Creates what is missing; settings of what exists are left alone. */
  createTopics(topics: readonly Topic[]): Promise<void>;
  /**
   * Appends in the given order; resolves once all records are durable. Calls made while another is under way are
   * kept in order per partition. A record larger than `recordBytesMax` rejects the call with RecordTooLargeError and
   * appends nothing.
   */
  append(records: readonly OutgoingRecord[]): Promise<void>;
  /**
   * Takes over these partitions for `owner`: from the moment it resolves, nothing of an earlier claim of the same owner
   * can enter them, not even what is under way, so what `partitions` says of their tails then is final. Other owners
   * are not affected. On one machine the lock of the data folder gives the same.
   */
  claim(owner: string, partitions: readonly TopicPartition[]): Promise<Claim>;
  /** Largest key + value + headers a record may have, in bytes. */
  readonly recordBytesMax: number;
  /**
   * Batches as they come, woken at once by appends (also of other processes); ends when the signal aborts. The next
   * batch is read only when asked for, so a slow reader holds nothing in memory.
   */
  read(options: ReadOptions): AsyncIterable<ReadBatch>;
  /** State of every partition of a topic, by partition number. */
  partitions(topic: string): Promise<readonly PartitionState[]>;
  /** First offset whose timestamp is at or after `timeMs`; the end offset if there is none. */
  offsetAt(topic: string, partition: number, timeMs: number): Promise<number>;
  /** Committed offsets of a group, only partitions that have one. */
  committed(group: string): Promise<ReadonlyMap<TopicPartition, number>>;
  commit(group: string, offsets: ReadonlyMap<TopicPartition, number>): Promise<void>;
  close(): Promise<void>;
}

/** The wanted offset is not in the log (retention passed it, or the topic was made anew). Never skipped silently. */
export class OffsetOutOfRangeError extends UserError {
  constructor(topic: string, partition: number, offset: number, start: number, end: number) {
    super(
      `offset ${offset} of ${topic}/${partition} is not in the log (it holds ${start} to ${end}): records were ` +
        'removed by retention before they were read, or the topic was made anew',
      'Bring the old log back if there is one, or start over with `instashop reset`; a larger --retention keeps more.',
    );
    this.name = 'OffsetOutOfRangeError';
  }
}

/** Another process took over what this one wrote to: whatever it did not append yet is the other's to append. */
export class FencedError extends Error {
  readonly retryable = true;
  constructor(owner: string) {
    super(`another process took over from ${owner}`);
    this.name = 'FencedError';
  }
}

export class RecordTooLargeError extends Error {
  readonly retryable = false;
  constructor(topic: string, bytes: number, bytesMax: number) {
    super(`a record for ${topic} has ${bytes} bytes, more than the ${bytesMax} a record may have`);
    this.name = 'RecordTooLargeError';
  }
}
