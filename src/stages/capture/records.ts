// Drafts as the records of the log.
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { partitionOf } from '../../lib/partition.ts';
import type { Position } from '../../lib/position.ts';
import { deadLetter } from '../../lib/result.ts';
import { type BrokerRecord, type OutgoingRecord, topicPartition } from '../../stores/broker/broker.ts';
import { DEAD_LETTER_HEADROOM_BYTES, deadLetterRecord } from '../../stores/broker/dead-letters.ts';
import type { Draft } from './event.ts';

const NAME = 'capture';
/** A dead letter of capture has no original bytes: it shows this much of what it would have been. */
const EXCERPT_CHARS = 4_096;

export interface RecordOptions {
  readonly recordBytesMax: number;
  readonly snapshot: boolean;
}

/** The record of a draft at its position: the event, or a dead letter; null where there is nothing to write. */
export function recordOf(draft: Draft, position: Position, options: RecordOptions): OutgoingRecord | null {
  const { topic, key, outcome } = draft;
  if (outcome.kind === 'skip') return null;
  const partition = partitionOf(key, topic.partitions);
  const headers = { [HEADERS.position]: position, ...(options.snapshot ? { [HEADERS.snapshot]: '1' } : {}) };
  const at = { topic: topic.name, partition, key, headers };
  const refuse = (value: string, refused: Extract<typeof outcome, { kind: 'deadLetter' }>) => {
    const record: BrokerRecord = { ...at, value: Buffer.from(value), offset: -1, timestamp: 0 };
    return deadLetterRecord(record, NAME, refused.reason, refused.message);
  };
  if (outcome.kind === 'deadLetter') {
    return refuse(JSON.stringify({ topic: topic.name, key, message: outcome.message }), outcome);
  }
  // Just made and not shared: cheaper than a copy for one field.
  const event = Object.assign(outcome.value, { source_position: position });
  const json = JSON.stringify(event);
  const value = Buffer.from(json);
  if (value.length <= options.recordBytesMax - DEAD_LETTER_HEADROOM_BYTES) return { ...at, value };
  const refused = deadLetter('record_too_large', `the event has ${value.length} bytes`);
  return refuse(json.slice(0, EXCERPT_CHARS), refused as Extract<typeof outcome, { kind: 'deadLetter' }>);
}

/** Whether a record stands in its partition already, by the highest position found there at the start. */
export const isPublished = (record: OutgoingRecord, tails: ReadonlyMap<string, Position>): boolean => {
  const tail = tails.get(topicPartition(record.topic, record.partition));
  return tail !== undefined && record.headers[HEADERS.position]! <= tail;
};

export const isDeadLetter = (record: OutgoingRecord): boolean => record.topic === TOPICS.deadLetters.name;
