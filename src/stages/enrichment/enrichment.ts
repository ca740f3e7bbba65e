import { transactionEventSchema } from '../../contracts/events/transaction.ts';
import type { TransactionItemEvent } from '../../contracts/events/transaction-item.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { decodeEvent } from '../../lib/decode.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { commitOf, POSITION_START, type Position, positionOf } from '../../lib/position.ts';
import { healthOf, type Stage, stageCounts } from '../../lib/stage.ts';
import type { Broker, BrokerRecord, OutgoingRecord } from '../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../stores/broker/dead-letters.ts';
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
    const done = await donePositions(broker);
    log.info('started', { continues_after: JSON.stringify([...done.values()]) });
    const options = { topics: [TOPICS.transactions.name], group: NAME, signal };
    for await (const batch of broker.read({ ...options, recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX })) {
      const output = batch.records.flatMap((record) => enrich(record, done.get(record.partition)!));
      await broker.append(output);
      await batch.ack();
      counts.lag = [...batch.lag.values()].reduce((sum, lag) => sum + lag, 0);
      counts.processed += batch.records.length;
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
 * is never POSITION_START. Items of a replayed sale are for every reader.
 */
function itemRecord(sale: BrokerRecord, item: TransactionItemEvent, index: number): BrokerRecord {
  const headers: Record<string, string> = { [HEADERS.position]: positionOf(BigInt(sale.offset) + 1n, index) };
  for (const name of [HEADERS.snapshot, HEADERS.replayOf]) {
    const value = sale.headers[name];
    if (value !== undefined) headers[name] = value;
  }
  return { ...sale, value: Buffer.from(JSON.stringify(item)), headers };
}

/**
 * The position of the newest item record in each partition: what is at or below it is in the log already. A tail
 * beyond the end of transactions means that topic was made anew, and rejects with a UserError.
 */
async function donePositions(broker: Pick<Broker, 'partitions'>): Promise<ReadonlyMap<number, Position>> {
  const [sales, items] = await Promise.all([
    broker.partitions(TOPICS.transactions.name),
    broker.partitions(TOPICS.transactionItems.name),
  ]);
  const done = new Map<number, Position>();
  for (const { partition, end } of sales) {
    const position = items[partition]?.tail?.headers[HEADERS.position] ?? POSITION_START;
    if (commitOf(position) > BigInt(end)) {
      throw new UserError(
        `topic transactions was made anew: partition ${partition} ends at ${end}, but items were made up to ${commitOf(position)}`,
        'If the log was lost on purpose, start over with `instashop reset`; else bring the old log back.',
      );
    }
    done.set(partition, position);
  }
  return done;
}
