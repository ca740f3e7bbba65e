// Records that the query refused, as dead letters: a row names only the record, so it is read again where it stands.
import type { DeadLetterReason } from '../../../contracts/dead-letter.ts';
import {
  type Broker,
  type BrokerRecord,
  OffsetOutOfRangeError,
  type OutgoingRecord,
  type PartitionState,
  type TopicPartition,
  topicPartition,
} from '../../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../../stores/broker/dead-letters.ts';
import { STAGE_NAME } from '../engine.ts';
import type { SparkRow } from './row.ts';

/** Batches read on without meeting a wanted record; then reading begins again, at the next wanted one. */
const BATCHES_BETWEEN_MAX = 8;
const NOTHING = new Uint8Array();

type ReadingBroker = Pick<Broker, 'read' | 'partitions'>;
/** Offsets wanted, rising, by partition. */
type Wanted = Map<number, number[]>;
type Found = Map<string, BrokerRecord>;

const idOf = ({ topic, partition, offset }: Pick<BrokerRecord, 'topic' | 'partition' | 'offset'>): string =>
  `${topicPartition(topic, partition)}/${offset}`;

/**
 * The dead letters of `_refused` rows, in their order. Of a record that retention has taken meanwhile the letter is
 * empty, and says so.
 */
export async function refusedLetters(
  broker: ReadingBroker,
  rows: readonly SparkRow[],
): Promise<readonly OutgoingRecord[]> {
  const refusals = rows.map(({ key }) => {
    const [topic, partition, offset, reason, message] = key as readonly string[];
    const place = { topic: topic!, partition: Number(partition), offset: Number(offset) };
    return { place, reason: reason as DeadLetterReason, message: message ?? '' };
  });
  const found: Found = new Map();
  for (const [topic, places] of Map.groupBy(refusals, ({ place }) => place.topic)) {
    const wanted: Wanted = new Map();
    for (const { place } of places) {
      wanted.set(place.partition, [...(wanted.get(place.partition) ?? []), place.offset]);
    }
    for (const offsets of wanted.values()) offsets.sort((a, b) => a - b);
    while (wanted.size > 0) await readSome(broker, topic, wanted, found);
  }
  return refusals.map(({ place, reason, message }) => {
    const record = found.get(idOf(place));
    const gone = { ...place, key: null, value: NOTHING, headers: {}, timestamp: 0 };
    return record === undefined
      ? deadLetterRecord(gone, STAGE_NAME, reason, `${message} (the record was no longer in its topic)`)
      : deadLetterRecord(record, STAGE_NAME, reason, message);
  });
}

/** One reading, from the first wanted records on; what was found, or is not there, is wanted no more. */
async function readSome(broker: ReadingBroker, topic: string, wanted: Wanted, found: Found): Promise<void> {
  const states = await broker.partitions(topic);
  dropGone(states, wanted);
  if (wanted.size === 0) return;
  const from = new Map(
    states.map(({ partition, end }): [TopicPartition, number] => [
      topicPartition(topic, partition),
      wanted.get(partition)?.[0] ?? end,
    ]),
  );
  const done = new AbortController();
  let between = 0;
  try {
    for await (const { records } of broker.read({
      topics: [topic],
      group: STAGE_NAME,
      from,
      signal: done.signal,
    })) {
      between++;
      for (const record of records) {
        const offsets = wanted.get(record.partition);
        if (offsets === undefined || record.offset < offsets[0]!) continue;
        if (record.offset === offsets[0]) {
          // Alone: the value may be a view into much more.
          found.set(idOf(record), { ...record, value: Uint8Array.from(record.value) });
          between = 0;
        }
        while (offsets.length > 0 && offsets[0]! <= record.offset) offsets.shift();
        if (offsets.length === 0) wanted.delete(record.partition);
      }
      if (wanted.size === 0 || between === BATCHES_BETWEEN_MAX) break;
    }
  } catch (error) {
    // Retention was faster: the next reading looks again at what there is.
    if (!(error instanceof OffsetOutOfRangeError)) throw error;
  } finally {
    done.abort();
  }
}

function dropGone(states: readonly PartitionState[], wanted: Wanted): void {
  const byPartition = new Map(states.map((state) => [state.partition, state]));
  for (const [partition, offsets] of wanted) {
    const state = byPartition.get(partition);
    const there = offsets.filter(
      (offset) => state !== undefined && offset >= state.start && offset <= (state.tail?.offset ?? -1),
    );
    if (there.length === 0) wanted.delete(partition);
    else wanted.set(partition, there);
  }
}
