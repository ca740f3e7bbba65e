import { setImmediate as others } from 'node:timers/promises';
import type { z } from 'zod';
import { EVENT_CONTRACTS, type ShopEvent } from '../../contracts/events/events.ts';
import { EVENT_TOPICS, HEADERS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import { decodeEvent } from '../../lib/decode.ts';
import type { Log } from '../../lib/log.ts';
import { deadLetter, type Outcome, ok, skip } from '../../lib/result.ts';
import { healthOf, type Stage, type StageCounts, stageCounts } from '../../lib/stage.ts';
import {
  type Broker,
  type BrokerRecord,
  type OutgoingRecord,
  type ReadBatch,
  type TopicPartition,
  topicPartition,
  totalLag,
} from '../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../stores/broker/dead-letters.ts';
import {
  type LoadedOffset,
  type LoadRecord,
  type LoadResult,
  type Rejected,
  topicMadeAnew,
  type Warehouse,
} from '../../stores/warehouse/warehouse.ts';
import { holdsNul } from './nul.ts';

const NAME = 'loader';
const RECORDS_MAX = 2_000;
/** From so many records on, a batch is stored in two transactions side by side. */
const LANE_RECORDS = 1_000;
const BYTES_MAX = 4 << 20;
/** Records checked before others get their turn (under 1 ms): the batch being stored waits for each of its answers. */
const SLICE = 50;
/** Once it has caught up it lets this much time's records gather: few transactions, and nobody waits for a history. */
const LINGER_MS = 200;
const PRUNE_EVERY_MS = 3_600_000;

export interface LoaderOptions {
  readonly broker: Pick<Broker, 'read' | 'append' | 'partitions'>;
  readonly warehouse: Pick<Warehouse, 'offsets' | 'load' | 'prune'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a batch comes to: what to store, and what to put aside. */
interface Prepared {
  readonly batch: ReadBatch;
  readonly records: readonly LoadRecord[];
  readonly sources: ReadonlyMap<LoadRecord, BrokerRecord>;
  readonly refused: readonly OutgoingRecord[];
}

/**
 * Event topics → warehouse. Where to go on is the warehouse's to say: its offsets move in the transaction that stores
 * the rows; the group's offsets in the broker follow as a hint for tools. A batch is checked while the one before is
 * being stored. Dead letters are durable before the offsets move past them. Several loaders share the partitions; one
 * that stores what it had of a partition it lost is late, and the warehouse drops what the other has stored.
 */
export function loader({ broker, warehouse, clock, log }: LoaderOptions): Stage {
  const counts = stageCounts();
  let prunedAt = Number.NEGATIVE_INFINITY;
  /** The newest batch's acknowledgement, under way while the next one is stored; its fault is thrown then. */
  let acked: Promise<void> = Promise.resolve();

  const prune = async () => {
    if (clock.now() - prunedAt < PRUNE_EVERY_MS) return;
    const days = await warehouse.prune();
    prunedAt = clock.now();
    if (days > 0) log.info('dropped days past the retention', { days });
  };

  const store = async ({ batch, records, sources, refused }: Prepared, topicIds: TopicIds) => {
    const putAside = async (letters: readonly OutgoingRecord[]) => {
      if (letters.length > 0) await broker.append(letters);
      counts.deadLetters += letters.length;
    };
    await putAside(refused);
    const refuse = (rejected: readonly Rejected[]) =>
      putAside(
        rejected.map(({ record, reason, message }) =>
          deadLetterRecord(sources.get(record)!, NAME, reason, message),
        ),
      );
    // To the end of each, also when one fails: nothing may still be under way when the stage is run again.
    const loads = await Promise.allSettled(
      lanesOf(records, offsetsAfter(batch, topicIds)).map((lane) =>
        warehouse.load(lane.records, lane.offsets, refuse),
      ),
    );
    const results = loads.map((load) => {
      if (load.status === 'rejected') throw load.reason;
      return load.value;
    });
    await acked;
    acked = batch.ack();
    acked.catch(() => {});
    counts.lag = totalLag(batch);
    count(counts, records, results);
    counts.processed += batch.records.length;
  };

  const run = async (signal: AbortSignal) => {
    const topicIds = new Map<TopicPartition, string>();
    const from = async (assigned: readonly TopicPartition[]) => {
      for (const [key, topicId] of await readTopicIds(broker)) topicIds.set(key, topicId);
      return startOffsets(warehouse, topicIds, assigned);
    };
    const topics = EVENT_TOPICS.map((topic) => topic.name);
    let storing: Promise<void> = Promise.resolve();
    acked = Promise.resolve();
    try {
      await prune();
      const reader = broker.read({
        topics,
        group: NAME,
        shared: true,
        from,
        recordsMax: RECORDS_MAX,
        bytesMax: BYTES_MAX,
        gatherMs: LINGER_MS,
        signal,
      });
      for await (const batch of reader) {
        const prepared = await prepare(batch);
        await storing;
        storing = store(prepared, topicIds);
        // Its fault is thrown by the next `await storing`; until then it must not count as unhandled.
        storing.catch(() => {});
        if (totalLag(batch) > 0) continue;
        await storing;
        await prune();
        await clock.sleep(LINGER_MS, signal);
      }
    } finally {
      await storing;
      await acked;
    }
  };

  return { name: NAME, run, health: () => healthOf(NAME, clock, counts) };
}

async function prepare(batch: ReadBatch): Promise<Prepared> {
  const sources = new Map<LoadRecord, BrokerRecord>();
  const refused: OutgoingRecord[] = [];
  for (const [index, record] of batch.records.entries()) {
    if (index % SLICE === SLICE - 1) await others();
    const outcome = check(record);
    if (outcome.kind === 'ok') sources.set(outcome.value, record);
    if (outcome.kind === 'deadLetter') {
      refused.push(deadLetterRecord(record, NAME, outcome.reason, outcome.message));
    }
  }
  return { batch, records: [...sources.keys()], sources, refused };
}

interface Lane {
  readonly records: readonly LoadRecord[];
  readonly offsets: readonly LoadedOffset[];
}

/** A large batch is stored over two connections, each with partitions of its own: PostgreSQL uses a core for each. */
function lanesOf(records: readonly LoadRecord[], offsets: readonly LoadedOffset[]): readonly Lane[] {
  if (records.length < LANE_RECORDS) return [{ records, offsets }];
  return [0, 1].map((lane) => ({
    records: records.filter(({ partition }) => partition % 2 === lane),
    offsets: offsets.filter(({ partition }) => partition % 2 === lane),
  }));
}

function count(counts: StageCounts, records: readonly LoadRecord[], results: readonly LoadResult[]): void {
  for (const name of ['inserted', 'repeated'] as const) {
    const sum = results.reduce((total, result) => total + result[name], 0);
    counts.figures[name] = (counts.figures[name] ?? 0) + sum;
  }
  for (const { event } of records) {
    counts.newestAt = Math.max(counts.newestAt ?? event.committed_at, event.committed_at);
  }
}

const CONTRACTS: Readonly<Record<string, { readonly schema: z.ZodType<ShopEvent> }>> = EVENT_CONTRACTS;

function check(record: BrokerRecord): Outcome<LoadRecord> {
  const replayFor = record.headers[HEADERS.replayFor];
  if (replayFor !== undefined && replayFor !== NAME) return skip('replayed for another stage');
  const decoded = decodeEvent(CONTRACTS[record.topic]!.schema, record.value);
  if (decoded.kind === 'deadLetter') return decoded;
  const { event, json } = decoded.value;
  if (holdsNul(json)) return deadLetter('invalid_text', 'a text holds the character NUL (\\u0000)');
  return ok({ topic: record.topic, partition: record.partition, offset: record.offset, event, json });
}

type TopicIds = ReadonlyMap<TopicPartition, string>;

async function readTopicIds(broker: Pick<Broker, 'partitions'>): Promise<TopicIds> {
  const states = await Promise.all(EVENT_TOPICS.map((topic) => broker.partitions(topic.name)));
  return new Map(
    states.flat().map(({ topic, partition, topicId }) => [topicPartition(topic, partition), topicId]),
  );
}

/** The warehouse's offsets; a topic of another id than it knows rejects with a UserError. */
async function startOffsets(
  warehouse: Pick<Warehouse, 'offsets'>,
  topicIds: TopicIds,
  assigned: readonly TopicPartition[],
): Promise<ReadonlyMap<TopicPartition, number>> {
  const stored = await warehouse.offsets();
  const from = new Map<TopicPartition, number>();
  for (const key of assigned) {
    const offset = stored.get(key);
    if (offset === undefined) continue;
    if (offset.topicId !== topicIds.get(key)) throw topicMadeAnew(key.split('/')[0]!);
    from.set(key, offset.nextOffset);
  }
  return from;
}

/** The offsets after the last record of each partition in the batch. */
function offsetsAfter(batch: ReadBatch, topicIds: TopicIds): readonly LoadedOffset[] {
  const next = new Map<TopicPartition, LoadedOffset>();
  for (const { topic, partition, offset } of batch.records) {
    const key = topicPartition(topic, partition);
    next.set(key, { topic, partition, topicId: topicIds.get(key)!, nextOffset: offset + 1 });
  }
  return [...next.values()];
}
