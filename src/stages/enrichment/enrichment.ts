import { transactionEventSchema } from '../../contracts/events/transaction.ts';
import type { TransactionItemEvent } from '../../contracts/events/transaction-item.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { decodeEvent } from '../../lib/decode.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { commitOf, POSITION_START, type Position, positionOf } from '../../lib/position.ts';
import { healthOf, type Stage, stageCounts } from '../../lib/stage.ts';
import {
  type Broker,
  type BrokerRecord,
  LOG_MADE_ANEW_REMEDY,
  type OutgoingRecord,
  type TopicPartition,
  topicPartition,
  totalLag,
} from '../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../stores/broker/dead-letters.ts';
import { lastWritten } from '../../stores/broker/last-written.ts';
import { PositionFilter } from '../../stores/broker/position-filter.ts';
import { itemLedger } from './item-ledger.ts';

const NAME = 'enrichment';
/** Small enough that the other stages of the process wait only a few milliseconds for a batch. */
const RECORDS_MAX = 250;
const BYTES_MAX = 1 << 20;

export interface EnrichmentOptions {
  readonly broker: Pick<Broker, 'read' | 'append' | 'partitions'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * transactions → transaction_items: one record for each sale item whose ledger entry changes. An item record carries
 * the offset of its sale's record as its position, so the tails of transaction_items tell at start what is done:
 * each item stands in the log once, however often the stage was killed.
 */
export function enrichment({ broker, clock, log }: EnrichmentOptions): Stage {
  const counts = stageCounts();

  const run = async (signal: AbortSignal) => {
    const { done, filter } = await startPositions(broker);
    log.info('started', { continues_after: JSON.stringify([...done.values()]) });
    const options = { topics: [TOPICS.transactions.name], group: NAME, signal };
    for await (const batch of broker.read({ ...options, recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX })) {
      const output = batch.records
        .filter((record) => isForUs(record) && (isReadBefore(record, done) || filter.admit(record)))
        .flatMap((record) => enrich(record, done.get(record.partition)!));
      await broker.append(output);
      await batch.ack();
      counts.lag = totalLag(batch);
      counts.processed += batch.records.length;
      counts.figures['position_dropped'] = filter.dropped;
    }
  };

  const enrich = (record: BrokerRecord, donePosition: Position): OutgoingRecord[] => {
    const decoded = decodeEvent(transactionEventSchema, record.value);
    if (decoded.kind === 'deadLetter') {
      counts.deadLetters += 1;
      return [deadLetterRecord(record, NAME, decoded.reason, decoded.message)];
    }
    const { event } = decoded.value;
    counts.newestAt = Math.max(counts.newestAt ?? 0, event.committed_at);
    const { items, refused } = itemLedger(event);
    counts.deadLetters += refused.length;
    return [
      ...refused.map((item, index) =>
        deadLetterRecord(itemRecord(record, item.event, index), NAME, item.reason, item.message),
      ),
      ...items
        .map((item, index) => itemRecord(record, item, index))
        .filter(({ headers }) => headers[HEADERS.position]! > donePosition)
        .map((item) => ({ ...item, topic: TOPICS.transactionItems.name })),
    ];
  };

  return { name: NAME, run, health: () => healthOf(NAME, clock, counts) };
}

/**
 * An item as a record of its own, still at its sale's place. Its position is the offset after its sale's, so that it
 * is never POSITION_START. Items of a replayed sale are for every reader, and each is a replay of its own.
 */
function itemRecord(sale: BrokerRecord, item: TransactionItemEvent, index: number): BrokerRecord {
  const { [HEADERS.snapshot]: snapshot, [HEADERS.replayOf]: replayOf } = sale.headers;
  const headers = {
    [HEADERS.position]: positionOf(BigInt(sale.offset) + 1n, index),
    ...(snapshot && { [HEADERS.snapshot]: snapshot }),
    ...(replayOf && { [HEADERS.replayOf]: `${replayOf}/${index}` }),
  };
  return { ...sale, value: Buffer.from(JSON.stringify(item)), headers };
}

/** Read before, as the tails tell: its sale was admitted then, and only items that are missing are made. */
const isReadBefore = ({ partition, offset }: BrokerRecord, done: ReadonlyMap<number, Position>): boolean =>
  BigInt(offset) < commitOf(done.get(partition)!);

const isForUs = ({ headers }: BrokerRecord): boolean =>
  headers[HEADERS.replayFor] === undefined || headers[HEADERS.replayFor] === NAME;

/**
 * What the newest item record in each partition tells: items at or below its position are in the log already, and its
 * sale's position is the highest that was taken. A tail beyond the end of transactions means that topic was made anew,
 * and rejects with a UserError.
 */
async function startPositions(broker: Pick<Broker, 'partitions' | 'read'>) {
  const [sales, items] = await Promise.all([
    broker.partitions(TOPICS.transactions.name),
    // Items that an operator sent again for another stage carry an old place; items of a replayed sale do not.
    lastWritten(broker, TOPICS.transactionItems.name, HEADERS.replayFor),
  ]);
  const done = new Map<number, Position>();
  const taken: Record<TopicPartition, Position> = {};
  for (const { topic, partition, end } of sales) {
    const tail = items[partition];
    const position = tail?.headers[HEADERS.position] ?? POSITION_START;
    if (commitOf(position) > BigInt(end)) {
      throw new UserError(
        `topic transactions was made anew: partition ${partition} ends at ${end}, its items at ${commitOf(position)}`,
        LOG_MADE_ANEW_REMEDY,
      );
    }
    done.set(partition, position);
    if (tail && tail.headers[HEADERS.replayOf] === undefined) {
      const item = JSON.parse(Buffer.from(tail.value).toString()) as TransactionItemEvent;
      taken[topicPartition(topic, partition)] = item.source_position;
    }
  }
  return { done, filter: new PositionFilter(taken) };
}
