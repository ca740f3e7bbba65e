// Sales that come late, early or shuffled, and rows that no event or no window can hold.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { DEAD_LETTER_HEADERS } from '../../src/contracts/dead-letter.ts';
import type { MetricValue } from '../../src/contracts/metric-value.ts';
import { HEADERS, TOPICS } from '../../src/contracts/topics.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { partitionOf } from '../../src/lib/partition.ts';
import { seededRandom } from '../../src/lib/random.ts';
import type { Fate } from '../../src/stages/metrics/engine.ts';
import { replayDeadLetters } from '../../src/stores/broker/dead-letter-queue.ts';
import { type System, startSystem } from '../support/in-process-system.ts';
import { type TestPostgres, testPostgres } from '../support/postgres.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

const SALE = `INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status)`;
const ITEM = 'INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)';
const LAST = "currval('transaction_transaction_id_seq')";

/** Completed sales of 1.00 each at these times, one after the other, each with one item. */
const salesAt = (times: readonly number[]): string =>
  `${SALE} SELECT 1, 1, to_timestamp(t / 1000.0), 1, 'Cash', 'completed' FROM unnest(ARRAY[${times}]::bigint[]) t;
   ${ITEM} SELECT transaction_id, 1, 1, 1 FROM transaction
     WHERE NOT EXISTS (SELECT FROM transactiondetail d WHERE d.transaction_id = transaction.transaction_id)`;

const fates = (system: System, topic: string): Partial<Record<Fate, number>> => {
  const counts: Partial<Record<Fate, number>> = {};
  for (const event of system.windows().events) {
    if (event.topic === topic && event.count !== 0)
      counts[event.fate] = (counts[event.fate] ?? 0) + event.count;
  }
  return counts;
};

const windowOf = (time: number): number => Math.floor(time / 30_000) * 30_000;
const perWindow = (times: readonly number[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const time of times) counts[windowOf(time)] = (counts[windowOf(time)] ?? 0) + 1;
  return counts;
};
const shown = (values: readonly MetricValue[]): Record<string, number> =>
  Object.fromEntries(values.map((value) => [value.window_start, value.values['completed_entered']!]));

/** Dead letters as `stage reason`, with how many. */
async function letters(system: System): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { headers } of await system.records(TOPICS.deadLetters.name)) {
    const name = `${headers[DEAD_LETTER_HEADERS.stage]} ${headers[DEAD_LETTER_HEADERS.reason]}`;
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
}

test('shuffled, 30 min late, 2 h late, dated tomorrow: right windows and revisions, the rest counted', async (t) => {
  const system = await startSystem(t, postgres);
  await system.quiet();
  const random = seededRandom('late');
  const now = systemClock.now();
  // 400 sales over the last four minutes, a fifth of them out of order by up to a minute.
  const inOrder = Array.from({ length: 400 }, (_, n) => now - 4 * MINUTE_MS + n * 600);
  const arrival = inOrder.map((time) => ({
    time,
    at: time + (random.next() < 0.2 ? random.int(0, MINUTE_MS) : 0),
  }));
  const onTime = arrival.sort((one, other) => one.at - other.at).map(({ time }) => time);
  for (let i = 0; i < onTime.length; i += 50) await system.shop(salesAt(onTime.slice(i, i + 50)));
  await system.quiet();
  const halfAnHourLate = [3, 3, 40_000].map((ms) => now - 30 * MINUTE_MS + ms);
  const twoHoursLate = [5, 10].map((ms) => now - 2 * HOUR_MS + ms);
  const tomorrow = [0, 1, 2, 3].map((ms) => now + DAY_MS + ms);
  await system.shop(salesAt([...halfAnHourLate, ...twoHoursLate, ...tomorrow]));
  await system.quiet();

  const counted = [...onTime, ...halfAnHourLate];
  for (const topic of [TOPICS.transactions.name, TOPICS.transactionItems.name]) {
    assert.deepEqual(fates(system, topic), { counted: counted.length, too_late: 2, quarantined: 4 });
  }
  const store = await system.platform.metricsStore('dashboard');
  const values = await store.range('transactions', now - 3 * HOUR_MS, now + 2 * DAY_MS);
  assert.deepEqual(shown(values), perWindow(counted));
  const late = values.filter(({ window_start }) => window_start <= now - 20 * MINUTE_MS);
  const revisions = Object.values(perWindow(halfAnHourLate));
  assert.deepEqual(
    late.map(({ state, revision }) => [state, revision]),
    revisions.map((revision) => ['closed', revision]),
  );
  assert.deepEqual(await letters(system), { 'metrics future_event_time': 8 });
  await system.verify();

  // The day has come: what was put aside is sent again, and twice changes nothing.
  await system.stop();
  await system.start({ ...systemClock, now: () => systemClock.now() + DAY_MS });
  const broker = await system.platform.broker('dashboard');
  assert.equal((await replayDeadLetters(broker, { reason: 'future_event_time' })).replayed, 8);
  await system.quiet();
  assert.equal((await replayDeadLetters(broker, {})).replayed, 0);
  const replays = (await system.records(TOPICS.transactions.name)).filter(
    ({ headers }) => headers[HEADERS.replayOf],
  );
  await broker.append(replays);
  await system.quiet();
  const { quarantined, ...left } = fates(system, TOPICS.transactions.name);
  assert.deepEqual([quarantined, left], [undefined, { counted: counted.length + 4, too_late: 2 }]);
  const later = await (await system.platform.metricsStore('dashboard')).range(
    'transactions',
    now + HOUR_MS,
    now + 2 * DAY_MS,
  );
  assert.deepEqual(shown(later), perWindow(tomorrow));
  await system.verify();
});

test('poison: everything odd is counted, put aside with its reason, or simply fine; nothing is stuck', async (t) => {
  const system = await startSystem(t, postgres);
  await system.quiet();
  const odd = [
    'e\u0301\u200d\u202egnol',
    '👩‍👩‍👧 \uFEFF\uFFFD',
    `O'Hara "\\\\"`,
    '\u0001\u001f\t',
    '\u{10FFFF}',
  ];
  await system.shop(
    odd.map((name) => `INSERT INTO buyer (name) VALUES ('${name.replaceAll("'", "''")}')`).join(';'),
  );
  await system.shop(`UPDATE product SET description = repeat('x', 1 << 20) WHERE product_id = 1;
    INSERT INTO product (customer_id, name, category, price) VALUES (1, repeat('y', 1 << 20), 'Home', 1)`);
  // What a sale, or one item of it, cannot be.
  await system.shop(`
    ${SALE} SELECT buyer_id, 1, now(), 5, 'Cash', 'completed' FROM buyer WHERE buyer_id > 50;
    ${SALE} VALUES (1, 1, now(), 'NaN', 'Cash', 'completed');
    ${SALE} VALUES (1, 1, 'infinity', 5, 'Cash', 'completed');
    ${SALE} VALUES (1, 1, now(), 9999999999.99, 'Cash', 'completed');
    ${ITEM} VALUES (${LAST}, 1, 2147483647, 9999999999.99), (${LAST}, 2, 1, 1);
    ${SALE} VALUES (1, 1, now(), 7, 'Cash', '¿qué?'), (1, 1, now(), 7, 'Cash', ''),
      (1, 1, now(), -7, 'Cash', 'completed'), (1, 1, now(), 3, 'Cash', 'completed');
    ${ITEM} VALUES (${LAST}, 1, -3, 1), (${LAST}, 1, 0, 1), (${LAST}, 1, 3, 1)`);
  await system.quiet();
  assert.deepEqual(await letters(system), {
    'capture amount_out_of_range': 1,
    'capture timestamp_out_of_range': 1,
    'enrichment amount_out_of_range': 1,
    'enrichment invalid_quantity': 2,
  });
  await system.verify();
  // Straight into the topic, by a writer that knows no contract.
  const broker = await system.platform.broker('dashboard');
  const [good] = await system.records(TOPICS.transactions.name);
  const event = JSON.parse(Buffer.from(good!.value).toString());
  const foreign = (key: string, text: string) => ({
    topic: TOPICS.transactions.name,
    partition: partitionOf(key, TOPICS.transactions.partitions),
    key,
    value: Buffer.from(text),
    headers: {},
  });
  await broker.append([
    foreign(
      '900001',
      JSON.stringify({ ...event, items: [], customer_name: 'a\u0000b', event_id: crypto.randomUUID() }),
    ),
    foreign('900002', '{"half'),
    foreign('900003', JSON.stringify({ ...event, total_amount_minor: 'NaN' })),
  ]);
  await system.shop(`${SALE} VALUES (1, 1, now(), 11, 'Cash', 'completed')`);
  await system.quiet();
  const found = await letters(system);
  assert.deepEqual(
    Object.fromEntries(Object.entries(found).filter(([name]) => !name.startsWith('capture'))),
    {
      'enrichment amount_out_of_range': 1,
      'enrichment invalid_quantity': 2,
      'enrichment invalid_json': 1,
      'enrichment schema': 1,
      'loader invalid_json': 1,
      'loader invalid_text': 1,
      'loader schema': 1,
      'metrics invalid_json': 1,
      'metrics schema': 1,
    },
  );
  assert.equal((await system.records(TOPICS.transactions.name)).length, 14);
});

test('what the warehouse refused is sent again when its cause is mended: exact totals, once', async (t) => {
  const system = await startSystem(t, postgres);
  await system.quiet();
  await system.dwh(`ALTER TABLE realtime_events ADD CONSTRAINT cause CHECK (transaction_id % 10 <> 3)`);
  await system.shop(salesAt(Array.from({ length: 100 }, () => systemClock.now())));
  await system.quiet();
  assert.deepEqual(await letters(system), { 'loader warehouse_rejected': 20 });
  await system.dwh('ALTER TABLE realtime_events DROP CONSTRAINT cause');
  const broker = await system.platform.broker('dashboard');
  assert.deepEqual(await replayDeadLetters(broker, {}), { replayed: 20, before: 0, notReplayable: 0 });
  await system.quiet();
  await system.verify();
  assert.deepEqual(await replayDeadLetters(broker, {}), { replayed: 0, before: 20, notReplayable: 0 });
  const all = [
    ...(await system.records(TOPICS.transactions.name)),
    ...(await system.records(TOPICS.transactionItems.name)),
  ];
  await broker.append(all.filter(({ headers }) => headers[HEADERS.replayOf]));
  await system.quiet();
  await system.verify();
  const [rows] = await system.dwh<{ rows: string }>('SELECT count(*) AS rows FROM realtime_events');
  assert.equal(Number(rows!.rows), 200);
});

test('a sale too large for a record is put aside, and counts from its next change that is not', async (t) => {
  const system = await startSystem(t, postgres);
  await system.quiet();
  const before = `UPDATE product SET name = repeat('y', 1 << 20) WHERE product_id = 4`;
  await system.shop(
    `${SALE} VALUES (1, 2, now(), 8, 'Cash', 'completed'); ${ITEM} VALUES (${LAST}, 3, 1, 8)`,
  );
  await system.shop(`BEGIN; ${before}; ${SALE} VALUES (1, 2, now(), 9, 'Cash', 'pending');
    ${ITEM} VALUES (${LAST}, 4, 1, 9); COMMIT`);
  await system.shop(`UPDATE transaction SET status = 'failed' WHERE status = 'pending'`);
  await system.quiet();
  assert.deepEqual(await letters(system), { 'capture record_too_large': 2 });
  await system.shop(`UPDATE product SET name = 'y' WHERE product_id = 4`);
  await system.shop(`UPDATE transaction SET status = 'completed' WHERE status = 'failed'`);
  await system.quiet();
  await system.verify();
  const store = await system.platform.metricsStore('dashboard');
  const values = await store.range('transactions', 0, 9e15);
  const sum = (name: string): number => values.reduce((total, value) => total + value.values[name]!, 0);
  assert.deepEqual(
    [
      'completed_entered',
      'net_minor',
      'failed_entered',
      'failed_left',
      'pending_entered',
      'pending_left',
    ].map(sum),
    [2, 1_700, 0, 0, 0, 0],
  );
});
