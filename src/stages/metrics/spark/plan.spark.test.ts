import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { drive, recordsOf } from '../../../../test/support/golden/drive.ts';
import { type Expected, type Line, naive, withoutZeros } from '../../../../test/support/golden/naive.ts';
import { GOLDEN_SETS, START } from '../../../../test/support/golden/sets.ts';
import { openKafka, type TestKafka, testKafka } from '../../../../test/support/kafka.ts';
import { type TestSpark, testSpark } from '../../../../test/support/spark.ts';
import {
  classTotal,
  countWithSpark,
  eventsTotal,
  ledgersOf,
  windowsOf,
} from '../../../../test/support/spark-windows.ts';
import type { MetricValue } from '../../../contracts/metric-value.ts';
import {
  FUTURE_LIMIT_MS,
  METRICS,
  REPAIR_HORIZON_MS,
  WATERMARK_DELAY_MS,
  WINDOW_MS,
} from '../../../contracts/metrics.ts';
import { EVENT_TOPICS, SPARK_WINDOWS_TOPIC } from '../../../contracts/topics.ts';
import { systemClock } from '../../../lib/clock.ts';
import {
  type Broker,
  type BrokerRecord,
  type OutgoingRecord,
  type TopicPartition,
  topicPartition,
} from '../../../stores/broker/broker.ts';
import { WindowEngine } from '../embedded/window-engine.ts';
import { Emission } from '../emission.ts';
import type { LedgerSums } from '../engine.ts';
import { BOOKKEEPING, type SparkRow } from './row.ts';
import { oddRecords } from './testing/odd-records.ts';

const rowsOf = (folder: string, set: string): unknown[] =>
  readFileSync(new URL(`../../../../test/golden/${folder}/${set}.ndjson`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row));

const outgoing = ({ offset: _, timestamp: __, ...record }: BrokerRecord): OutgoingRecord => record;

type Fate = 'quarantined' | 'too_late' | 'counted';
interface Judged {
  readonly line: Line;
  readonly fate: Fate;
  readonly taken: boolean;
}

/**
 * What becomes of each line, as the naive model has it, in steps: cut before a line that is too late only after what
 * stands in the same step before it.
 */
function stepsOf(lines: readonly Line[]): readonly (readonly Judged[])[] {
  const steps: Judged[][] = [[]];
  let [newest, known] = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const line of lines) {
    const [time, captured] = [line.event['event_time'] as number, line.event['captured_at'] as number];
    const until =
      Math.floor(time / WINDOW_MS) * WINDOW_MS + WINDOW_MS + WATERMARK_DELAY_MS + REPAIR_HORIZON_MS;
    const fate: Fate =
      time > captured + FUTURE_LIMIT_MS ? 'quarantined' : until <= newest ? 'too_late' : 'counted';
    if (fate === 'too_late' && until > known) {
      steps.push([]);
      known = newest;
    }
    if (fate === 'counted') newest = Math.max(newest, time);
    const taken = Object.keys(naive([line], METRICS).windows).length > 0;
    steps.at(-1)!.push({ line, fate, taken });
  }
  return steps;
}

/** By what a row is of, its sums; both of two lists of rows added up. */
function addedUp(...all: readonly LedgerSums[]): Readonly<Record<string, readonly number[]>> {
  const sums: Record<string, number[]> = {};
  for (const { sales, items, behavior } of all) {
    for (const row of [...sales, ...items, ...behavior]) {
      const values: unknown[] = Object.values(row);
      const key = values.filter((value) => typeof value === 'string').join(' ');
      const numbers = values.filter((value) => typeof value === 'number');
      sums[key] = numbers.map((value, i) => value + (sums[key]?.[i] ?? 0));
    }
  }
  return sums;
}

const SETS = ['tiny', ...Object.keys(GOLDEN_SETS)];
const linesOf = (set: string) => rowsOf('inputs', set) as Line[];

/** The sets are counted by one query: each has its own hundred days. */
const SHIFT_MS = 100 * 86_400_000;
const TIMES = ['event_time', 'captured_at', 'committed_at'];

const dated = (line: Line, shifts: number): Line => {
  const times = TIMES.map((name) => [name, (line.event[name] as number) + shifts * SHIFT_MS]);
  return { ...line, event: { ...line.event, ...Object.fromEntries(times) } };
};

/** The rows of such a set, as if it had not been moved. */
function undated(rows: Iterable<SparkRow>, shifts: number): readonly SparkRow[] {
  const by = shifts * SHIFT_MS;
  return [...rows].flatMap((row) => {
    const { windowEnd, newestEventTime, newestCommittedAt, key, definition } = row;
    if (Math.floor((newestCommittedAt - START) / SHIFT_MS + 0.1) !== shifts) return [];
    const dayAt = definition.startsWith(BOOKKEEPING.ledger) ? 1 : definition === BOOKKEEPING.source ? 2 : -1;
    const day = (text: string | null) => new Date(Date.parse(text!) - by).toISOString().slice(0, 10);
    return [
      {
        ...row,
        windowEnd: windowEnd - by,
        newestEventTime: newestEventTime - by,
        newestCommittedAt: newestCommittedAt - by,
        key: key.map((text, i) => (i === dayAt ? day(text) : text)),
      },
    ];
  });
}

function judgeGolden(set: string, rows: readonly SparkRow[]): void {
  const lines = linesOf(set);
  const [counts, ...windows] = rowsOf('expected', set);
  const { quarantined, too_late: tooLate } = counts as Expected;
  const judged = stepsOf(lines).flat();
  const some = (holds: (one: Judged) => boolean) => judged.filter(holds).length;
  assert.equal(
    some(({ fate }) => fate === 'quarantined'),
    quarantined,
  );
  assert.equal(
    some(({ fate }) => fate === 'too_late'),
    tooLate,
  );
  assert.deepEqual(windowsOf(rows, METRICS), Object.fromEntries(windows as [string, unknown][]), set);
  assert.equal(classTotal(rows, 'quarantined'), quarantined);
  assert.equal(
    classTotal(rows, 'taken'),
    some(({ taken }) => taken),
  );
  assert.equal(
    classTotal(rows, 'ignored'),
    some(({ fate, taken }) => !taken && fate !== 'quarantined'),
  );
  assert.equal(
    eventsTotal(rows),
    some(({ fate, taken }) => taken && fate === 'counted'),
  );
  const embedded = drive(recordsOf(lines), { live: true }).accounting;
  const ledgers = ledgersOf(rows, METRICS);
  assert.deepEqual(addedUp(ledgers.windows), addedUp(embedded.windows, embedded.tooLate));
  assert.deepEqual(addedUp(ledgers.quarantined), addedUp(embedded.quarantined));
}

describe('the plan on a real Spark', () => {
  let kafka: TestKafka;
  let spark: TestSpark;
  let broker: Broker;
  before(async () => {
    kafka = await testKafka();
    const { user: username, password } = kafka.admin;
    spark = await testSpark({ kafka: { username, password } });
    broker = openKafka(kafka);
    await broker.createTopics([...EVENT_TOPICS, SPARK_WINDOWS_TOPIC]);
  });
  after(async () => {
    await broker?.close();
    await spark?.stop();
    await kafka?.stop();
  });
  const count = (
    generation: string,
    shufflePartitions: number,
    steps: readonly (readonly OutgoingRecord[])[],
  ): Promise<ReadonlyMap<string, SparkRow>> =>
    countWithSpark({ broker, kafka, spark, definitions: METRICS, generation, shufflePartitions }, steps);

  for (const shufflePartitions of [2, 5]) {
    test(`the golden sets, ${shufflePartitions} shuffle partitions`, async () => {
      const steps = SETS.flatMap((set, i) =>
        stepsOf(linesOf(set)).map((step) => recordsOf(step.map(({ line }) => dated(line, i))).map(outgoing)),
      );
      const rows = await count(`golden${shufflePartitions}`, shufflePartitions, steps);
      for (const [i, set] of SETS.entries()) judgeGolden(set, undated(rows.values(), i));
    });
  }

  test('draws the line between events and others where the embedded engine does', async () => {
    const now = systemClock.now();
    const records = oddRecords(now);
    const next = new Map(
      await Promise.all(EVENT_TOPICS.map(({ name }) => endsOf(name))).then((all) => all.flat()),
    );
    const placed = records.map((record): BrokerRecord => {
      const name = topicPartition(record.topic, record.partition);
      const offset = next.get(name)!;
      next.set(name, offset + 1);
      return { ...record, offset, timestamp: now };
    });
    const rows = [...(await count('odd', 2, [records])).values()];

    const sources = [...next.keys()].map((name) => {
      const [topic, partition] = name.split('/') as [string, string];
      return { topic, partition: Number(partition), topicId: 't', nextOffset: 0, lag: 0 };
    });
    const engine = new WindowEngine({ definitions: METRICS, sources, state: null, now });
    const refusals = engine.apply(placed, new Map(), now);
    const refused = rows
      .filter(({ definition }) => definition === BOOKKEEPING.refused)
      .map(({ key }) => key.join(' '));
    assert.deepEqual(
      refused.sort(),
      refusals
        .map(({ record, reason, message }) =>
          [record.topic, record.partition, record.offset, reason, message].join(' '),
        )
        .sort(),
    );
    assert.deepEqual(windowsOf(rows, METRICS), windowsOfEngine(engine));
    const { windows, tooLate, quarantined, events } = engine.accounting();
    const ledgers = ledgersOf(rows, METRICS);
    assert.deepEqual(addedUp(ledgers.windows), addedUp(windows, tooLate));
    assert.deepEqual(addedUp(ledgers.quarantined), addedUp(quarantined));
    const fate = (name: Fate | 'refused' | 'ignored') =>
      events.reduce((sum, row) => (row.fate === name ? sum + row.count : sum), 0);
    assert.equal(classTotal(rows, 'refused') - classTotal(rows, 'unrefused'), fate('refused'));
    assert.equal(classTotal(rows, 'quarantined') - classTotal(rows, 'unquarantined'), fate('quarantined'));
  });

  const endsOf = async (topic: string): Promise<[TopicPartition, number][]> =>
    (await broker.partitions(topic)).map(({ partition, end }) => [topicPartition(topic, partition), end]);
});

/** What the embedded engine would write, in the shape of the golden sets. */
function windowsOfEngine(engine: WindowEngine): Readonly<Record<string, unknown>> {
  const values = new Emission(engine.unsent).take(0, true).map(({ key, value }): [string, unknown] => {
    const written = JSON.parse(Buffer.from(value).toString()) as MetricValue;
    const { labels, events, newest_event_time, newest_committed_at } = written;
    const shown = {
      labels,
      values: withoutZeros(written.values),
      events,
      newest_event_time,
      newest_committed_at,
    };
    return [key!, shown];
  });
  return Object.fromEntries(values.sort(([a], [b]) => (a < b ? -1 : 1)));
}
