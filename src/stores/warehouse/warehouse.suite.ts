// What every warehouse must do, whatever holds it.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ShopEvent } from '../../contracts/events/events.ts';
import { CART_EXAMPLE, SEARCH_EXAMPLE, USER_BEHAVIOR_EXAMPLE } from '../../contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../../contracts/events/transaction-item.ts';
import { ledgerDigest } from '../../lib/digest.ts';
import { eventId } from '../../lib/ids.ts';
import type { LoadedOffset, LoadRecord, Rejected, Warehouse } from './warehouse.ts';

const HOUR_MS = 3_600_000;
/** A full hour, before the examples' time. */
export const HOUR = Math.floor(TRANSACTION_EXAMPLE.event_time / HOUR_MS) * HOUR_MS;

/** Places events in a partition of the log, from an offset on. */
export const records = (
  topic: string,
  from: number,
  events: readonly ShopEvent[],
  partition = 0,
): LoadRecord[] =>
  events.map((event, index) => ({
    topic,
    partition,
    offset: from + index,
    event,
    json: JSON.stringify(event),
  }));

/** The offsets just after these records. */
export const after = (loaded: readonly LoadRecord[], topicId = 'first'): LoadedOffset[] => {
  const next = new Map<string, LoadedOffset>();
  for (const { topic, partition, offset } of loaded) {
    next.set(`${topic}/${partition}`, { topic, partition, topicId, nextOffset: offset + 1 });
  }
  return [...next.values()];
};

/** A sale's event, with an id of its own for each change. */
export const sale = (id: number, change: Partial<TransactionEvent> = {}): TransactionEvent => ({
  ...TRANSACTION_EXAMPLE,
  event_time: HOUR + id,
  sale_time: HOUR + id,
  transaction_id: id,
  event_id: eventId(`sale/${id}/${JSON.stringify(change)}`),
  ...change,
});

export const refund = (id: number, change: Partial<TransactionEvent> = {}): TransactionEvent =>
  sale(id, {
    op: 'status_changed',
    status: 'refunded',
    previous_status: 'completed',
    previous_total_amount_minor: TRANSACTION_EXAMPLE.total_amount_minor,
    event_time: HOUR + 2 * HOUR_MS,
    ...change,
  });

const refuseNone = async (rejected: readonly Rejected[]) => assert.deepEqual(rejected, []);
export const loadAll = (warehouse: Warehouse, loaded: readonly LoadRecord[]) =>
  warehouse.load(loaded, after(loaded), refuseNone);

const previous = { previous_total_amount_minor: TRANSACTION_EXAMPLE.total_amount_minor };

const CHECKS: Readonly<Record<string, (warehouse: Warehouse) => Promise<void>>> = {
  'delivered again after the commit, records add nothing': async (warehouse) => {
    const first = records('transactions', 10, [sale(1), sale(2)]);
    assert.deepEqual(await loadAll(warehouse, first), { inserted: 2, repeated: 0, rejected: 0 });
    assert.deepEqual(await loadAll(warehouse, first), { inserted: 0, repeated: 2, rejected: 0 });
    const more = [...first, ...records('transactions', 12, [sale(3)])];
    assert.deepEqual(await loadAll(warehouse, more), { inserted: 1, repeated: 2, rejected: 0 });
    assert.deepEqual((await warehouse.offsets()).get('transactions/0'), { topicId: 'first', nextOffset: 13 });
    assert.equal((await warehouse.totals()).transactions, 3);
  },

  'an event that stands in the log twice is stored and counted once': async (warehouse) => {
    await loadAll(warehouse, records('transactions', 0, [sale(1), sale(2), sale(1)]));
    const again = await loadAll(warehouse, records('transactions', 3, [sale(2), sale(3)]));
    assert.deepEqual(again, { inserted: 1, repeated: 1, rejected: 0 });
    const elsewhere = await loadAll(warehouse, records('transactions', 0, [sale(3)], 1));
    assert.deepEqual(elsewhere, { inserted: 0, repeated: 1, rejected: 0 });
    const [hour] = await warehouse.history(HOUR, HOUR + HOUR_MS);
    assert.deepEqual([hour?.completed, hour?.grossMinor], [3, 3 * 5998]);
  },

  'offsets move with the rows or not at all': async (warehouse) => {
    await loadAll(warehouse, records('transactions', 0, [sale(1)]));
    const poison = { ...sale(3), buyer_name: 'a\u0000b' };
    const batch = records('transactions', 1, [sale(2), poison]);
    const killed = warehouse.load(batch, after(batch), async () => {
      throw new Error('killed');
    });
    await assert.rejects(killed, /killed/);
    assert.equal((await warehouse.offsets()).get('transactions/0')?.nextOffset, 1);
    assert.equal((await warehouse.totals()).events, 1);
    assert.equal((await warehouse.history(HOUR, HOUR + HOUR_MS))[0]?.completed, 1);
    const result = await warehouse.load(batch, after(batch), async () => {});
    assert.deepEqual(result, { inserted: 1, repeated: 0, rejected: 1 });
  },

  'refused records are named with reason and message, and the rest is stored': async (warehouse) => {
    const events: ShopEvent[] = Array.from({ length: 40 }, (_, n) => sale(n));
    events[7] = { ...sale(7), customer_name: 'nul \u0000' };
    events[20] = { ...sale(20), total_amount_minor: 1e15 };
    events[21] = { ...sale(21), buyer_name: 'half \ud800' };
    events[39] = { ...sale(39), event_time: -8.64e15 };
    const batch = records('transactions', 0, events);
    const refused: Rejected[] = [];
    const result = await warehouse.load(batch, after(batch), async (rejected) => {
      refused.push(...rejected);
    });
    assert.deepEqual(result, { inserted: 36, repeated: 0, rejected: 4 });
    assert.deepEqual(
      refused.map(({ record, reason }) => [record.offset, reason]),
      [
        [7, 'invalid_text'],
        [20, 'warehouse_rejected'],
        [21, 'invalid_text'],
        [39, 'warehouse_rejected'],
      ],
    );
    assert.match(refused[1]!.message, /numeric field overflow/);
    assert.equal((await warehouse.offsets()).get('transactions/0')?.nextOffset, 40);
  },

  'a topic made anew is refused with a remedy, and nothing is stored': async (warehouse) => {
    await loadAll(warehouse, records('transactions', 0, [sale(1)]));
    const anew = records('transactions', 0, [sale(2)]);
    await assert.rejects(warehouse.load(anew, after(anew, 'second'), refuseNone), { name: 'UserError' });
    assert.equal((await warehouse.totals()).events, 1);
  },

  'history: entries and reversals by the hour of the change, one merchant or all': async (warehouse) => {
    const events = [
      sale(1),
      sale(2, { customer_id: 8, status: 'pending', total_amount_minor: 100 }),
      sale(2, {
        customer_id: 8,
        op: 'status_changed',
        previous_status: 'pending',
        previous_total_amount_minor: 100,
        total_amount_minor: 100,
      }),
      sale(3, { status: 'failed' }),
      sale(4, { currency: 'EUR' }),
      sale(5, { op: 'items_changed' }),
      sale(6, { op: 'amended', previous_status: 'completed', previous_total_amount_minor: 5000 }),
      refund(1),
    ];
    await loadAll(warehouse, records('transactions', 0, events));
    const none = {
      completed: 0,
      grossMinor: 0,
      reversals: 0,
      reversalsMinor: 0,
      pending: 0,
      failed: 0,
      refunded: 0,
    };
    const usd = { ...none, hour: HOUR, currency: 'USD', pending: 1, failed: 1 };
    assert.deepEqual(await warehouse.history(HOUR, HOUR + 24 * HOUR_MS), [
      { ...none, hour: HOUR, currency: 'EUR', completed: 1, grossMinor: 5998 },
      { ...usd, completed: 3, grossMinor: 2 * 5998 + 100, reversals: 1, reversalsMinor: 5000 },
      {
        ...none,
        hour: HOUR + 2 * HOUR_MS,
        currency: 'USD',
        reversals: 1,
        reversalsMinor: 5998,
        refunded: 1,
      },
    ]);
    const merchant = await warehouse.history(HOUR, HOUR + HOUR_MS, 8);
    assert.deepEqual(merchant, [{ ...usd, failed: 0, completed: 1, grossMinor: 100 }]);
  },

  'activity and totals agree with the rows': async (warehouse) => {
    await loadAll(warehouse, records('transactions', 0, [sale(1), sale(2), refund(1)]));
    const at = { event_time: HOUR + HOUR_MS };
    await loadAll(warehouse, [
      ...records('transaction_items', 0, [{ ...TRANSACTION_ITEM_EXAMPLE, ...at }]),
      ...records('user_behavior', 0, [{ ...USER_BEHAVIOR_EXAMPLE, ...at, event_id: eventId('behavior') }]),
      ...records('searches', 0, [{ ...SEARCH_EXAMPLE, ...at, event_id: eventId('search') }]),
      ...records('cart_events', 0, [{ ...CART_EXAMPLE, ...at, event_id: eventId('cart'), customer_id: 9 }]),
    ]);
    const totals = await warehouse.totals();
    assert.deepEqual(totals, {
      events: 7,
      transactions: 2,
      behaviors: 3,
      customers: 2,
      activeDays: 1,
      firstEventAt: HOUR + 1,
      lastEventAt: HOUR + 2 * HOUR_MS,
    });
    const activity = await warehouse.activity(HOUR, HOUR + 3 * HOUR_MS);
    assert.deepEqual(
      activity.map(({ hour, eventType, events }) => [(hour - HOUR) / HOUR_MS, eventType, events]),
      [
        [0, 'transaction', 2],
        [1, 'add_to_cart', 1],
        [1, 'search', 1],
        [1, 'transaction_item', 1],
        [1, 'user_behavior', 1],
        [2, 'transaction', 1],
      ],
    );
    const { events } = await warehouse.accounting();
    const rows = events.reduce((sum, each) => sum + each.rows, 0);
    assert.equal(rows, totals.events);
  },

  'accounting: signed by the day of the sale, with digests that any order gives': async (warehouse) => {
    const moved = { sale_time: HOUR + 1 };
    const history = [sale(1), refund(1, moved), sale(2), sale(3, { status: 'x' }), sale(4)];
    history.push(sale(4, { op: 'deleted', status: 'deleted', previous_status: 'completed', ...previous }));
    for (const [index, event] of history.toReversed().entries()) {
      await loadAll(warehouse, records('transactions', index, [event]));
    }
    const item = { ...TRANSACTION_ITEM_EXAMPLE, sale_time: HOUR };
    const gone = { previous_transaction_status: 'completed', previous_amount_minor: 5998 };
    await loadAll(
      warehouse,
      records('transaction_items', 0, [
        item,
        { ...item, ...gone, event_id: eventId('removed'), transaction_status: 'removed' },
      ]),
    );
    const { ledger, offsets } = await warehouse.accounting();
    const day = new Date(HOUR).toISOString().slice(0, 10);
    const row = (id: number, status: string) => ({
      kind: 'transaction',
      day,
      currency: 'USD',
      status,
      rows: 1,
      amountMinor: 5998,
      digest: String(ledgerDigest(id, status, 5998)),
    });
    assert.deepEqual(ledger, [row(2, 'completed'), row(1, 'refunded'), row(3, 'x')]);
    assert.deepEqual([...offsets].sort(), [
      ['transaction_items/0', 2],
      ['transactions/0', 6],
    ]);
  },
};

/** `open` gives an empty, migrated warehouse for each test, which the suite closes. */
export function warehouseSuite(name: string, open: () => Promise<Warehouse>): void {
  for (const [title, check] of Object.entries(CHECKS)) {
    test(`${name}: ${title}`, async () => {
      const warehouse = await open();
      try {
        await check(warehouse);
      } finally {
        await warehouse.close();
      }
    });
  }
}
