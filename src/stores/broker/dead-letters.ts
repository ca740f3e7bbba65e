// How a record that a stage could not process is put aside: the one shape every stage writes.
import { DEAD_LETTER_HEADERS, type DeadLetterReason } from '../../contracts/dead-letter.ts';
import { TOPICS } from '../../contracts/topics.ts';
import type { BrokerRecord, OutgoingRecord } from './broker.ts';

const MESSAGE_CHARS_MAX = 500;

/** The most that the headers added here take: what a writer of events keeps free below `recordBytesMax`. */
export const DEAD_LETTER_HEADROOM_BYTES = 4096;

/**
 * The record as it goes to topic `dead_letters`: original key, bytes and headers, in the same partition, with where it
 * came from and why. The caller awaits its append before the offset moves past the record.
 */
export const deadLetterRecord = (
  record: BrokerRecord,
  stage: string,
  reason: DeadLetterReason,
  message: string,
): OutgoingRecord => ({
  topic: TOPICS.deadLetters.name,
  partition: record.partition,
  key: record.key,
  value: record.value,
  headers: {
    ...record.headers,
    [DEAD_LETTER_HEADERS.topic]: record.topic,
    [DEAD_LETTER_HEADERS.partition]: String(record.partition),
    [DEAD_LETTER_HEADERS.offset]: String(record.offset),
    [DEAD_LETTER_HEADERS.stage]: stage,
    [DEAD_LETTER_HEADERS.reason]: reason,
    [DEAD_LETTER_HEADERS.message]: message.slice(0, MESSAGE_CHARS_MAX).toWellFormed(),
  },
});
