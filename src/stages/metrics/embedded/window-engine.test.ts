import assert from 'node:assert/strict';
import test from 'node:test';
import { SEARCH_EXAMPLE } from '../../../contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../../contracts/events/transaction.ts';
import type { MetricValue } from '../../../contracts/metric-value.ts';
import { METRICS } from '../../../contracts/metrics.ts';
import { HEADERS, PARTITIONS, TOPICS } from '../../../contracts/topics.ts';
import { positionOf } from '../../../lib/position.ts';
import { type BrokerRecord, type Headers, topicPartition } from '../../../stores/broker/broker.ts';
import { Emission } from '../emission.ts';
import { WindowEngine } from './window-engine.ts';

const T = 1_800_000_000_000;
const HOUR = 3_600_000;
const SALES = TOPICS.transactions.name;

const engineOf = (lag = 0, groupsMax = 1_000) =>
  new WindowEngine({
    definitions: METRICS,
    sources: [SALES, TOPICS.searches.name].flatMap((topic) =>
      Array.from({ length: PARTITIONS }, (_, partition) => ({
        topic,
        partition,
        topicId: 't',
        nextOffset: 0,
        lag,
      })),
    ),
    state: null,
    now: 0,
    groupsMax,
  });

let offset = 0;
const record = (
  value: string,
  headers: Headers = {},
  partition = 0,
  topic: string = SALES,
): BrokerRecord => ({
  topic,
  partition,
  offset: offset++,
  key: null,
  value: Buffer.from(value),
  headers,
  timestamp: 0,
});

/** A completed sale of 10.00 at T + `at`, captured at once unless `change` says otherwise. */
const sale = (at: number, change: Partial<TransactionEvent> = {}, headers: Headers = {}, partition = 0) => {
  const times = { event_time: T + at, committed_at: T + at, captured_at: T + at };
  const event = {
    ...TRANSACTION_EXAMPLE,
    event_id: `e-${offset}`,
    total_amount_minor: 1_000,
    ...times,
    ...change,
  };
  return record(JSON.stringify(event), headers, partition);
};
const search = (at: number, search_query: string) => {
  const times = { event_time: T + at, committed_at: T + at, captured_at: T + at };
  return record(JSON.stringify({ ...SEARCH_EXAMPLE, ...times, search_query }), {}, 0, TOPICS.searches.name);
};

const LAGS = new Map<never, never>();
const emitted = (engine: WindowEngine): readonly MetricValue[] =>
  new Emission(engine.unsent).take(0, true).map(({ value }) => JSON.parse(Buffer.from(value).toString()));
const sales = (engine: WindowEngine) => emitted(engine).filter(({ metric }) => metric === 'transactions');
const figure = (engine: WindowEngine, name: string) => engine.figures(0)[name];
const fates = (engine: WindowEngine) =>
  Object.fromEntries(engine.accounting().events.map(({ day, fate, count }) => [`${fate} ${day}`, count]));

test('an event dated more than a minute ahead of its capture is quarantined and does not move the watermark', () => {
  const engine = engineOf();
  engine.apply([sale(0)], LAGS, 0);
  const before = engine.watermark;
  const refusals = engine.apply(
    [sale(86_400_000, { captured_at: T + 5 }), sale(60_100, { captured_at: T + 99 })],
    LAGS,
    0,
  );
  assert.deepEqual(
    refusals.map(({ reason }) => reason),
    ['future_event_time', 'future_event_time'],
  );
  assert.equal(engine.watermark, before);
  assert.equal(engine.newestEventTime, T);
  assert.deepEqual(
    sales(engine).map(({ window_start, events }) => [window_start, events]),
    [[T, 1]],
  );
  const { quarantined } = engine.accounting();
  assert.deepEqual(
    quarantined.sales.map(({ day, entered, enteredMinor }) => [day, entered, enteredMinor]),
    [
      ['2027-01-15', 1, 1_000],
      ['2027-01-16', 1, 1_000],
    ],
  );
  // Just inside the limit it counts.
  assert.equal(engine.apply([sale(60_099, { captured_at: T + 99 })], LAGS, 0).length, 0);
  assert.equal(engine.watermark, T + 50_099);
});

test('a record whose position does not rise in its partition is dropped and counted', () => {
  const engine = engineOf();
  const at = (commit: bigint, ordinal: number) => ({ [HEADERS.position]: positionOf(commit, ordinal) });
  engine.apply(
    [sale(0, {}, at(5n, 0)), sale(1, {}, at(5n, 0)), sale(2, {}, at(4n, 9)), sale(3, {}, at(5n, 1))],
    LAGS,
    0,
  );
  engine.apply([sale(4, {}, at(5n, 1)), sale(5, {}, at(5n, 0), 1)], LAGS, 0);
  assert.equal(sales(engine)[0]!.events, 3);
  assert.equal(figure(engine, 'repeated'), 3);
});

test('a record below the next offset is not taken again', () => {
  const engine = engineOf();
  const once = sale(0);
  engine.apply([once], LAGS, 0);
  engine.apply([once, sale(1)], LAGS, 0);
  assert.equal(sales(engine)[0]!.events, 2);
});

test('windows close when the watermark passes their end; a late event makes a revision', () => {
  const engine = engineOf();
  engine.apply([sale(29_999), sale(39_999)], LAGS, 0);
  const shown = () =>
    sales(engine).map((value) => [value.window_start - T, value.state, value.events, value.revision]);
  assert.deepEqual(shown(), [
    [0, 'open', 1, 0],
    [30_000, 'open', 1, 0],
  ]);
  engine.apply([sale(40_000)], LAGS, 0);
  assert.deepEqual(shown(), [
    [30_000, 'open', 2, 0],
    [0, 'closed', 1, 0],
  ]);
  engine.apply([sale(10), sale(20)], LAGS, 0);
  assert.deepEqual(shown(), [[0, 'closed', 3, 2]]);
  // A group that was not there before it closed is late as well.
  engine.apply([sale(30, { currency: 'EUR' })], LAGS, 0);
  assert.deepEqual(shown(), [[0, 'closed', 1, 1]]);
  assert.equal(figure(engine, 'late'), 3);
});

test('an event older than the horizon changes no window; its sums are kept as too late', () => {
  const engine = engineOf();
  engine.apply([sale(HOUR + 40_000)], LAGS, 0);
  emitted(engine);
  engine.apply([sale(29_999), sale(30_000)], LAGS, 0);
  assert.deepEqual(
    sales(engine).map(({ window_start }) => window_start - T),
    [30_000],
  );
  assert.equal(figure(engine, 'too_late'), 1);
  assert.deepEqual(
    engine.accounting().tooLate.sales.map(({ entered, enteredMinor }) => [entered, enteredMinor]),
    [[1, 1_000]],
  );
});

test('an idle shop closes its windows at the pace of the clock, and a jump of the clock closes none', () => {
  const engine = engineOf();
  engine.apply([sale(0)], LAGS, 1_000);
  engine.pass(3_000);
  assert.equal(engine.watermark, T - 10_000 + 2_000);
  engine.pass(3_600_000);
  assert.equal(engine.watermark, T - 10_000 + 7_000);
  engine.pass(3_000);
  assert.equal(engine.watermark, T - 10_000 + 7_000, 'never back');
  for (let now = 3_000; now <= 40_000; now += 1_000) engine.pass(now);
  assert.deepEqual(
    sales(engine).map(({ state }) => state),
    ['closed'],
  );
});

test('a partition with records waiting holds the watermark back, one read to its end does not', () => {
  const engine = engineOf(7);
  const waiting = (first: number, others: number) =>
    new Map(
      [SALES, TOPICS.searches.name].flatMap((topic) =>
        Array.from(
          { length: PARTITIONS },
          (_, partition) =>
            [topicPartition(topic, partition), topic === SALES && partition === 0 ? first : others] as const,
        ),
      ),
    );
  engine.apply([sale(0), sale(100_000, {}, {}, 1)], LAGS, 0);
  engine.pass(9_000);
  assert.equal(engine.watermark, Number.NEGATIVE_INFINITY, 'the other partitions were not seen yet');
  engine.apply([sale(1_000)], waiting(3, 0), 9_000);
  assert.equal(engine.watermark, T + 1_000 - 10_000);
  engine.pass(12_000);
  assert.equal(engine.watermark, T + 1_000 - 10_000, 'the clock does not count while records wait');
  engine.apply([sale(2_000)], waiting(0, 0), 12_000);
  assert.equal(engine.watermark, T + 100_000 - 10_000);
});

test('rows of a snapshot count without moving the watermark; those older than any window are history', () => {
  const engine = engineOf();
  const now = T + 2 * HOUR;
  const snapshot = { [HEADERS.snapshot]: '1' };
  engine.apply([sale(2 * HOUR - 1_000, {}, snapshot), sale(0, {}, snapshot)], LAGS, now);
  engine.pass(now + 4_000);
  assert.equal(engine.watermark, Number.NEGATIVE_INFINITY);
  assert.deepEqual(
    sales(engine).map(({ events }) => events),
    [1],
  );
  assert.deepEqual(fates(engine), { 'counted 2027-01-15': 1, 'history 2027-01-15': 1 });
  assert.equal(engine.accounting().tooLate.sales[0]!.enteredMinor, 1_000);
  assert.equal(figure(engine, 'late'), 0);
});

test('what cannot be read is refused with its reason, and counted', () => {
  const engine = engineOf();
  const broken = [
    record('{"broken'),
    record('[1]'),
    record('null'),
    { ...record(''), value: Buffer.from([0x7b, 0xff, 0x7d]) },
    sale(0, { total_amount_minor: 2 ** 53 }),
    sale(0, { total_amount_minor: '12' as unknown as number }),
    sale(0, { currency: 'usd' }),
    sale(0, { op: 'sold' as TransactionEvent['op'] }),
    sale(0, { status: null as unknown as string }),
    sale(0, { buyer_id: undefined as unknown as number }),
    sale(0, { event_time: Number.MAX_SAFE_INTEGER }),
    sale(0, { status: { nested: true } as unknown as string }),
  ];
  const refusals = engine.apply([...broken, sale(1)], LAGS, 0);
  assert.deepEqual(
    refusals.map(({ record: { offset: at } }) => at),
    broken.map(({ offset: at }) => at),
  );
  assert.deepEqual(
    refusals.map(({ reason }) => reason),
    [...['invalid_json', 'schema', 'schema', 'invalid_json'], ...Array.from({ length: 8 }, () => 'schema')],
  );
  assert.deepEqual(fates(engine), { 'refused ': 12, 'counted 2027-01-15': 1 });
});

test('a replayed dead letter counts once, whoever it was for', () => {
  const engine = engineOf();
  const replay = (id: number, forStage?: string): Headers => ({
    [HEADERS.replayOf]: `dead_letters/0/${id}`,
    ...(forStage && { [HEADERS.replayFor]: forStage }),
  });
  const refused = engine.apply([record('{"broken')], LAGS, 0);
  assert.equal(refused.length, 1);
  const mended = { event_id: 'mended' };
  engine.apply([sale(0, mended, replay(1, 'metrics')), sale(0, mended, replay(1, 'metrics'))], LAGS, 0);
  engine.apply([sale(1, {}, replay(2, 'loader'))], LAGS, 0);
  engine.apply([sale(2, { event_id: 'item' }, replay(3)), sale(2, { event_id: 'item' }, replay(3))], LAGS, 0);
  assert.equal(sales(engine)[0]!.events, 2);
  assert.deepEqual(fates(engine), { 'counted 2027-01-15': 2 });
});

test('a quarantined event, replayed when its time has come, leaves the quarantine for its window', () => {
  const engine = engineOf();
  const early = { event_id: 'early', captured_at: T };
  const replay = (id: number): Headers => ({
    [HEADERS.replayOf]: `dead_letters/0/${id}`,
    [HEADERS.replayFor]: 'metrics',
  });
  assert.equal(engine.apply([sale(90_000, early)], LAGS, T).length, 1);
  assert.equal(engine.apply([sale(90_000, early, replay(1))], LAGS, T + 1_000).length, 1, 'still ahead');
  assert.deepEqual(fates(engine), { 'quarantined 2027-01-15': 1 });
  assert.equal(engine.apply([sale(90_000, early, replay(2))], LAGS, T + 90_000).length, 0);
  assert.deepEqual(fates(engine), { 'counted 2027-01-15': 1 });
  assert.deepEqual(engine.accounting().quarantined.sales, []);
  assert.equal(engine.accounting().windows.sales[0]!.enteredMinor, 1_000);
});

test('more groups than there is room for are counted together as (other)', () => {
  const engine = engineOf(0, 2);
  engine.apply(
    ['a', 'b', 'c', 'd', 'a'].map((query) => search(0, query)),
    LAGS,
    0,
  );
  const groups = emitted(engine).filter(({ metric }) => metric === 'searches');
  assert.deepEqual(
    groups.map(({ group, values }) => [group['search_query'], values['count']]),
    [
      ['a', 2],
      ['b', 1],
      ['(other)', 2],
    ],
  );
  assert.equal(figure(engine, 'group_overflow'), 2);
});

test('long texts are grouped by their first 256 characters', () => {
  const engine = engineOf();
  engine.apply([search(0, 'x'.repeat(300_000)), search(0, `${'x'.repeat(256)}y`)], LAGS, 0);
  const [value] = emitted(engine).filter(({ metric }) => metric === 'searches');
  assert.deepEqual([value!.group['search_query'], value!.events], ['x'.repeat(256), 2]);
});

test('values of many groups are written at a slower pace than those of few', () => {
  const engine = engineOf();
  const emission = new Emission(engine.unsent);
  const apply = () =>
    engine.apply(
      Array.from({ length: 20 }, (_, i) => sale(i, { customer_id: i })),
      LAGS,
      0,
    );
  const due = (now: number) => {
    const keys = emission.take(now, false).map(({ key }) => key!.split('|')[0]!);
    return Object.fromEntries([...Map.groupBy(keys, (key) => key)].map(([key, all]) => [key, all.length]));
  };
  apply();
  assert.deepEqual(due(1_000), { transactions: 1, transactions_by_merchant: 20, transactions_by_payment: 1 });
  apply();
  assert.deepEqual(due(1_020), { transactions: 1, transactions_by_payment: 1 });
  assert.equal(emission.pending, true);
  assert.deepEqual(due(1_250), { transactions_by_merchant: 20 });
  assert.equal(emission.pending, false);
});
