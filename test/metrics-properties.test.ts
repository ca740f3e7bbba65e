// Windows against the naive model: any events, any order, any crashes.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { CART_EXAMPLE, SEARCH_EXAMPLE } from '../src/contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE, TRANSACTION_OPS } from '../src/contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../src/contracts/events/transaction-item.ts';
import { METRICS } from '../src/contracts/metrics.ts';
import { type Driven, drive, recordsOf } from './support/golden/drive.ts';
import { type Line, naive, withoutZeros } from './support/golden/naive.ts';

const START = 1_800_000_000_000;
const status = fc.constantFrom(
  'completed',
  'pending',
  'failed',
  'refunded',
  'cancelled',
  'deleted',
  'on hold',
  '',
);
const currency = fc.constantFrom('USD', 'EUR');
const amount = fc.oneof(fc.integer({ min: -500, max: 500 }), fc.constantFrom(0, 999_999_999_999));
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 4 }),
  fc.constantFrom('a|b', '["x"]', '\u0000'),
);

const kinds = fc.oneof(
  fc.record({
    topic: fc.constant('transactions'),
    event: fc.record({
      op: fc.constantFrom(...TRANSACTION_OPS),
      status,
      previous_status: fc.option(status),
      total_amount_minor: amount,
      previous_total_amount_minor: fc.option(amount),
      buyer_id: fc.integer({ min: 1, max: 4 }),
      customer_id: fc.integer({ min: 1, max: 3 }),
      customer_name: text,
      payment_method: text,
      currency,
    }),
  }),
  fc.record({
    topic: fc.constant('transaction_items'),
    event: fc.record({
      transaction_status: status,
      previous_transaction_status: fc.option(status),
      amount_minor: amount,
      previous_amount_minor: fc.option(amount),
      quantity: fc.integer({ min: 1, max: 5 }),
      previous_quantity: fc.option(fc.integer({ min: 1, max: 5 })),
      product_id: fc.integer({ min: 1, max: 4 }),
      category: text,
      currency,
    }),
  }),
  fc.record({
    topic: fc.constant('searches'),
    event: fc.record({
      op: fc.constantFrom('recorded', 'updated', 'deleted'),
      search_query: fc.option(text),
      results_count: fc.option(fc.integer({ min: 0, max: 2 })),
      session_id: fc.option(text),
    }),
  }),
  fc.record({
    topic: fc.constant('cart_events'),
    event: fc.record({
      op: fc.constantFrom('recorded', 'updated'),
      event_type: fc.constantFrom('add_to_cart', 'checkout'),
      cart_total_minor: amount,
      session_id: fc.option(text),
      currency,
    }),
  }),
);

const EXAMPLES: Readonly<Record<string, object>> = {
  transactions: { ...TRANSACTION_EXAMPLE, items: [] },
  transaction_items: TRANSACTION_ITEM_EXAMPLE,
  searches: SEARCH_EXAMPLE,
  cart_events: { ...CART_EXAMPLE, cart_items: [] },
};

/** Within the horizon, on window edges too, in any order; some dated beyond their capture. */
const line: fc.Arbitrary<Line> = fc
  .record({
    kind: kinds,
    time: fc.oneof(fc.integer({ min: 0, max: 200_000 }), fc.constantFrom(0, 29_999, 30_000, 59_999, 60_000)),
    aheadMs: fc.oneof(
      { weight: 9, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.constant(60_001) },
    ),
    partition: fc.integer({ min: 0, max: 5 }),
  })
  .map(({ kind, time, aheadMs, partition }) => ({
    topic: kind.topic,
    partition,
    event: {
      ...EXAMPLES[kind.topic],
      ...kind.event,
      event_time: START + time,
      captured_at: START + time - aheadMs,
      committed_at: START + time - 3,
    },
  }));

const run = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 60 }),
  crashes: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 4 }),
  batch: fc.integer({ min: 1, max: 9 }),
  saveEvery: fc.integer({ min: 1, max: 5 }),
  live: fc.boolean(),
});

const windowsOf = ({ values }: Driven): unknown =>
  Object.fromEntries(
    [...values]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, { labels, values: sums, events, newest_event_time, newest_committed_at }]) => [
        key,
        { labels, values: withoutZeros(sums), events, newest_event_time, newest_committed_at },
      ]),
  );

test('property: windows hold what the naive model says, for any events, order and crashes', () => {
  fc.assert(
    fc.property(run, ({ lines, ...options }) => {
      const driven = drive(recordsOf(lines), options);
      const expected = naive(lines, METRICS);
      assert.deepEqual(windowsOf(driven), expected.windows);
      assert.equal(driven.refused.size, expected.quarantined);
      assert.ok([...driven.values.values()].every(({ state }) => state === 'closed'));
    }),
    { numRuns: 100, seed: 7 },
  );
});

test('property: what is settled and what is in windows add up to the same, wherever it crashes', () => {
  fc.assert(
    fc.property(run, ({ lines, ...options }) => {
      const { accounting, settled } = drive(recordsOf(lines), options);
      assert.deepEqual(settled, accounting);
      assert.deepEqual(accounting, drive(recordsOf(lines), { ...options, crashes: [] }).accounting);
      assert.equal(
        accounting.events.reduce((sum, { count }) => sum + count, 0),
        lines.length,
      );
    }),
    { numRuns: 30, seed: 8 },
  );
});
