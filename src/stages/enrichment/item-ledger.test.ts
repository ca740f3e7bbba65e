import assert from 'node:assert/strict';
import test from 'node:test';
import {
  type SaleItem,
  TRANSACTION_EXAMPLE,
  type TransactionEvent,
} from '../../contracts/events/transaction.ts';
import {
  TRANSACTION_ITEM_EXAMPLE,
  transactionItemEventSchema,
} from '../../contracts/events/transaction-item.ts';
import { itemLedger } from './item-ledger.ts';

const [LAMP] = TRANSACTION_EXAMPLE.items as [SaleItem];
const CHAIR: SaleItem = {
  ...LAMP,
  transaction_detail_id: 2002,
  product_id: 13,
  quantity: 1,
  unit_price_minor: 700,
};
const sale = (change: Partial<TransactionEvent>): TransactionEvent => ({ ...TRANSACTION_EXAMPLE, ...change });

/** What counts: status, amount and quantity entering, and leaving. */
const entriesOf = (event: TransactionEvent) =>
  itemLedger(event).items.map((item) => [
    item.transaction_detail_id,
    item.transaction_status,
    item.amount_minor,
    item.quantity,
    item.previous_transaction_status,
    item.previous_amount_minor,
    item.previous_quantity,
  ]);

test('a placed sale makes one entry an item: charged price x quantity', () => {
  const { items } = itemLedger(TRANSACTION_EXAMPLE);
  const [item] = items;
  assert.deepEqual({ ...item, event_id: '' }, { ...TRANSACTION_ITEM_EXAMPLE, event_id: '' });
  assert.match(item!.event_id, /^[0-9a-f-]{14}5/);
  assert.equal(itemLedger(TRANSACTION_EXAMPLE).items[0]!.event_id, item!.event_id);
  transactionItemEventSchema.parse(item);
});

test('a status change takes the old entry back and adds the new one', () => {
  const refund = sale({ op: 'status_changed', status: 'refunded', previous_status: 'completed' });
  assert.deepEqual(entriesOf(refund), [[2001, 'refunded', 5998, 2, 'completed', 5998, 2]]);
});

test('an amendment that leaves the items alone makes no entries', () => {
  const amended = sale({ op: 'amended', previous_status: 'completed', previous_total_amount_minor: 1 });
  assert.deepEqual(entriesOf(amended), []);
});

test('a status change together with changed items compares with what the items were', () => {
  const changed = sale({
    op: 'status_changed',
    status: 'completed',
    previous_status: 'pending',
    previous_items: [{ ...LAMP, quantity: 1 }],
  });
  assert.deepEqual(entriesOf(changed), [[2001, 'completed', 5998, 2, 'pending', 2999, 1]]);
});

test('changed items: only those that differ, added ones, removed ones', () => {
  const changed = sale({
    op: 'items_changed',
    items: [LAMP, { ...CHAIR, quantity: 3 }, { ...CHAIR, transaction_detail_id: 2003 }],
    previous_items: [LAMP, CHAIR, { ...CHAIR, transaction_detail_id: 2004 }],
  });
  assert.deepEqual(entriesOf(changed), [
    [2002, 'completed', 2100, 3, 'completed', 700, 1],
    [2004, 'removed', 700, 1, 'completed', 700, 1],
    [2003, 'completed', 700, 1, null, null, null],
  ]);
});

test('an item whose product changed leaves the old product and enters the new one', () => {
  const changed = sale({
    op: 'items_changed',
    items: [{ ...LAMP, product_id: 99, category: 'Toys' }],
    previous_items: [LAMP],
  });
  const { items } = itemLedger(changed);
  assert.deepEqual(
    items.map((item) => [item.product_id, item.transaction_status, item.previous_transaction_status]),
    [
      [12, 'removed', 'completed'],
      [99, 'completed', null],
    ],
  );
  assert.notEqual(items[0]!.event_id, items[1]!.event_id);
});

test('a deleted or withdrawn sale takes its items back, a restated one enters them anew', () => {
  for (const op of ['deleted', 'withdrawn'] as const) {
    const gone = sale({ op, status: op, previous_status: 'completed', previous_total_amount_minor: 5998 });
    assert.deepEqual(entriesOf(gone), [[2001, op, 5998, 2, 'completed', 5998, 2]]);
  }
  assert.deepEqual(entriesOf(sale({ op: 'restated' })), [[2001, 'completed', 5998, 2, null, null, null]]);
});

test('an item that makes no sense is refused, and the others go on', () => {
  const { items, refused } = itemLedger(
    sale({ items: [{ ...LAMP, quantity: 0 }, CHAIR, { ...LAMP, transaction_detail_id: 9, quantity: 1e12 }] }),
  );
  assert.deepEqual(
    items.map((item) => item.transaction_detail_id),
    [2002],
  );
  assert.deepEqual(
    refused.map(({ reason, event }) => [reason, event.transaction_detail_id]),
    [
      ['invalid_quantity', 2001],
      ['amount_out_of_range', 9],
    ],
  );
});

test('what was refused before is not taken back; what was valid before is, even if it is refused now', () => {
  const poor = { ...LAMP, quantity: -1 };
  const mended = sale({ op: 'items_changed', items: [LAMP], previous_items: [poor] });
  assert.deepEqual(entriesOf(mended), [[2001, 'completed', 5998, 2, null, null, null]]);
  const spoilt = sale({ op: 'items_changed', items: [poor], previous_items: [LAMP] });
  assert.deepEqual(entriesOf(spoilt), [[2001, 'removed', 5998, 2, 'completed', 5998, 2]]);
  assert.equal(itemLedger(spoilt).refused.length, 1);
  const deleted = sale({ op: 'deleted', status: 'deleted', previous_status: 'completed', items: [poor] });
  assert.deepEqual(itemLedger(deleted), { items: [], refused: [] });
});
