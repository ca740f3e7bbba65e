import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EVENT_CONTRACTS } from '../../contracts/events/events.ts';
import { type TransactionEvent, transactionEventSchema } from '../../contracts/events/transaction.ts';
import type { Row } from '../../stores/shop/changes.ts';
import type { Occasion } from './event.ts';
import { NO_SALE, type Sale } from './sale.ts';
import { saleEvents } from './sale-events.ts';
import { epochMsOf } from './values.ts';

const OCCASION: Occasion = {
  database: 'instashop',
  version: '77',
  committedAt: 1_795_517_589_131,
  capturedAt: 1_795_517_589_140,
  mainCurrency: 'USD',
};
const NAMES = { get: () => null };

const header = (values: Row = {}): Row => ({
  transaction_id: '5',
  buyer_id: '1',
  customer_id: '1',
  transaction_date: '2026-11-24 10:00:00+00',
  total_amount: '30.00',
  payment_method: 'PayPal',
  status: 'completed',
  currency: 'USD',
  ...values,
});
const item = (id: string, quantity: string, price = '30.00'): [string, Row] => [
  id,
  { transaction_detail_id: id, transaction_id: '5', product_id: '2', quantity, unit_price: price },
];
const sale = (row: Row | null, ...items: [string, Row][]): Sale => ({ header: row, items: new Map(items) });

const between = (before: Sale, after: Sale): TransactionEvent[] =>
  saleEvents('5', before, after, OCCASION, NAMES).flatMap(({ outcome }) =>
    outcome.kind === 'ok' ? [transactionEventSchema.parse({ ...outcome.value, source_position: 'x' })] : [],
  );

test('the examples of the contracts are what the contracts say', () => {
  for (const { schema, example } of Object.values(EVENT_CONTRACTS)) schema.parse(example);
});

test("a status change happens when the shop says, a placed sale at the sale's own time", () => {
  const changed = header({ status: 'refunded', status_changed_at: '2026-11-24 10:30:00+00' });
  const [event] = between(sale(header()), sale(changed));
  assert.equal(event!.event_time, Date.parse('2026-11-24T10:30:00Z'));
  // A writer that does not know the column leaves the old time: then it is the commit's.
  const [later] = between(sale(changed), sale({ ...changed, status: 'completed' }));
  assert.equal(later!.event_time, OCCASION.committedAt);
});

test('an item no event can hold is put aside; the sale and its other items go on', () => {
  const drafts = saleEvents(
    '5',
    NO_SALE,
    sale(header(), item('1', '1', 'NaN'), item('2', '2')),
    OCCASION,
    NAMES,
  );
  assert.deepEqual(
    drafts.map(({ outcome }) => outcome.kind),
    ['deadLetter', 'ok'],
  );
  const [event] = between(NO_SALE, sale(header(), item('1', '1', 'NaN'), item('2', '2')));
  assert.deepEqual(
    event!.items.map(({ transaction_detail_id }) => transaction_detail_id),
    [2],
  );
});

test('timestamps as PostgreSQL writes them', () => {
  assert.equal(epochMsOf('2026-11-24 10:53:09.1209+00'), Date.parse('2026-11-24T10:53:09.120Z'));
  assert.equal(epochMsOf('2026-11-24T10:53:09.12+05:30'), Date.parse('2026-11-24T05:23:09.120Z'));
  assert.equal(epochMsOf('2026-11-24 10:53:09'), Date.parse('2026-11-24T10:53:09Z'));
  assert.equal(epochMsOf('0001-01-01 00:00:00+00'), Date.parse('0001-01-01T00:00:00Z'));
  for (const text of ['infinity', '-infinity', '0044-03-15 00:00:00+00 BC', '294276-12-31 23:59:59+00', '']) {
    assert.equal(epochMsOf(text), null, text);
  }
});

const anySale = fc.oneof(
  fc.constant(NO_SALE),
  fc
    .record({
      status: fc.constantFrom('completed', 'pending', 'failed', 'qué?'),
      currency: fc.constantFrom('USD', 'EUR'),
      customer_id: fc.constantFrom('1', '2'),
      total_amount: fc.constantFrom('1.00', '2.50', '-3.00', 'NaN'),
      quantities: fc.array(fc.constantFrom('1', '2'), { maxLength: 3 }),
    })
    .map(({ quantities, ...row }) =>
      sale(header(row), ...quantities.map((quantity, i) => item(String(i), quantity))),
    ),
);

test('whatever happens to a sale, the sum of its ledger is its present state', () => {
  fc.assert(
    fc.property(fc.array(anySale, { minLength: 1, maxLength: 6 }), (states) => {
      const sums = new Map<string, number>();
      const add = (group: string, amount: number) => {
        const sum = (sums.get(group) ?? 0) + amount;
        if (sum === 0) sums.delete(group);
        else sums.set(group, sum);
      };
      states.forEach((after, i) => {
        for (const event of between(states[i - 1] ?? NO_SALE, after)) {
          if (event.op === 'items_changed') continue;
          const group = `${event.currency}/${event.customer_id}`;
          if (event.op !== 'deleted' && event.op !== 'withdrawn') {
            add(`${group}/${event.status}`, event.total_amount_minor);
          }
          if (event.previous_status !== null) {
            add(`${group}/${event.previous_status}`, -event.previous_total_amount_minor!);
          }
        }
      });
      const row = states.at(-1)!.header;
      const holdable = row !== null && row['total_amount'] !== 'NaN';
      const group = holdable && `${row['currency']}/${row['customer_id']}/${row['status']}`;
      assert.deepEqual([...sums], group ? [[group, Math.round(Number(row['total_amount']) * 100)]] : []);
    }),
  );
});
