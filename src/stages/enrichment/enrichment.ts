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
  type Claim,
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
/** Items follow their sale by so much: with less, most requests to the brokers would be theirs. */
const GATHER_MS = 40;

export interface EnrichmentOptions {
  readonly broker: Pick<Broker, 'read' | 'claim' | 'partitions'>;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * transactions → transaction_items: one record for each sale item whose ledger entry changes. An item record carries
 * the offset of its sale's record as its position, so the tails of transaction_items tell at start what is done:
 * each item stands in the log once, however often the stage was killed. Several of them share the partitions: whoever
 * gets one claims what it writes to, so that the one before, alive or frozen, can write nothing more.
 */
export function enrichment({ broker, clock, log }: EnrichmentOptions): Stage {
  const counts = stageCounts();

  const run = async (signal: AbortSignal) => {
    const lanes = new Map<number, Lane>();
    const from = async (assigned: readonly TopicPartition[]) => {
      for (const lane of await openLanes(broker, assigned)) lanes.set(lane.partition, lane);
      log.info('took over', { partitions: assigned.join(' ') });
      return new Map<TopicPartition, number>();
    };
    const reading = { topics: [TOPICS.transactions.name], group: NAME, shared: true, from, signal };
    const bounds = { recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX, gatherMs: GATHER_MS };
    for await (const batch of broker.read({ ...reading, ...bounds })) {
      const output = Map.groupBy(batch.records, ({ partition }) => lanes.get(partition)!);
      await allSettled(Array.from(output, ([lane, records]) => lane.claim.append(itemsOf(records, lane))));
      await batch.ack();
      counts.lag = totalLag(batch);
      counts.processed += batch.records.length;
      counts.figures['position_dropped'] = [...lanes.values()].reduce(
        (sum, { filter }) => sum + filter.dropped,
        0,
      );
    }
  };

  const itemsOf = (records: readonly BrokerRecord[], { done, filter }: Lane): readonly OutgoingRecord[] =>
    records
      .filter((record) => isForUs(record) && (isReadBefore(record, done) || filter.admit(record)))
      .flatMap((record) => enrich(record, done));

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
const isReadBefore = ({ offset }: BrokerRecord, done: Position): boolean => BigInt(offset) < commitOf(done);

const isForUs = ({ headers }: BrokerRecord): boolean =>
  headers[HEADERS.replayFor] === undefined || headers[HEADERS.replayFor] === NAME;

/** One partition of transactions and what is made of it. */
interface Lane {
  readonly partition: number;
  readonly claim: Claim;
  /** Items at or below this position are in the log already; */
  readonly done: Position;
  /** and of sales, those at or below the one they came from. */
  readonly filter: PositionFilter;
}

/**
 * What the newest item record in each partition tells, once nobody else can write there. A tail beyond the end of
 * transactions means that topic was made anew, and rejects with a UserError.
 */
async function openLanes(
  broker: EnrichmentOptions['broker'],
  assigned: readonly TopicPartition[],
): Promise<readonly Lane[]> {
  const claims = await Promise.all(
    assigned.map(async (key) => {
      const partition = Number(key.slice(key.lastIndexOf('/') + 1));
      const written = [TOPICS.transactionItems, TOPICS.deadLetters].map(({ name }) =>
        topicPartition(name, partition),
      );
      return { partition, claim: await broker.claim(`instashop-enrichment-${partition}`, written) };
    }),
  );
  const [sales, items] = await Promise.all([
    broker.partitions(TOPICS.transactions.name),
    // Items that an operator sent again for another stage carry an old place; items of a replayed sale do not.
    lastWritten(broker, TOPICS.transactionItems.name, HEADERS.replayFor),
  ]);
  return claims.map(({ partition, claim }) => {
    const { topic, end } = sales[partition]!;
    const tail = items[partition];
    const done = tail?.headers[HEADERS.position] ?? POSITION_START;
    if (commitOf(done) > BigInt(end)) {
      throw new UserError(
        `topic transactions was made anew: partition ${partition} ends at ${end}, its items at ${commitOf(done)}`,
        LOG_MADE_ANEW_REMEDY,
      );
    }
    const taken: Record<TopicPartition, Position> = {};
    if (tail && tail.headers[HEADERS.replayOf] === undefined) {
      const item = JSON.parse(Buffer.from(tail.value).toString()) as TransactionItemEvent;
      taken[topicPartition(topic, partition)] = item.source_position;
    }
    return { partition, claim, done, filter: new PositionFilter(taken) };
  });
}

/** To the end of each, also when one fails: nothing may still be under way when the stage is run again. */
async function allSettled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}
