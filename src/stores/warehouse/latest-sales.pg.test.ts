import assert from 'node:assert/strict';
import test, { after } from 'node:test';
import { testPostgres } from '../../../test/support/postgres.ts';
import type { TransactionEvent } from '../../contracts/events/transaction.ts';
import { eventId } from '../../lib/ids.ts';
import { postgresWarehouse } from './postgres-warehouse.ts';
import { HOUR, loadAll, records, sale } from './warehouse.suite.ts';

const postgres = await testPostgres();
after(() => postgres.stop());

const bought = (id: number, at: number, change: Partial<TransactionEvent> = {}): TransactionEvent =>
  sale(id, { event_time: at, sale_time: at, ...change });

test('the latest sales are the newest that became completed, of one merchant where it is named', async (t) => {
  const warehouse = postgresWarehouse({
    url: await postgres.database(),
    clock: { now: () => HOUR, sleep: async () => {} },
  });
  t.after(() => warehouse.close());
  await warehouse.migrate();
  const load = async (...events: readonly TransactionEvent[]) => {
    for (const [offset, event] of events.entries())
      await loadAll(warehouse, records('transactions', offset + 1, [event]));
  };
  assert.deepEqual(await warehouse.latestSales(5), []);
  await load(
    bought(1, HOUR, {
      customer_id: 7,
      customer_name: 'Casa Luna',
      buyer_id: 4_242,
      total_amount_minor: 1_250,
    }),
    bought(2, HOUR + 2_000, { customer_id: 8, customer_name: 'Norte', status: 'pending' }),
    bought(3, HOUR + 1_000, { customer_id: 8, customer_name: 'Norte', payment_method: 'PayPal' }),
    // Amended while completed: it did not become so.
    bought(1, HOUR + 3_000, {
      ...{
        customer_id: 7,
        op: 'amended',
        previous_status: 'completed',
        previous_total_amount_minor: 1_250,
      },
      event_id: eventId('latest/amended'),
    }),
  );
  const latest = await warehouse.latestSales(5);
  assert.deepEqual(
    latest.map(({ at, customerName }) => [at - HOUR, customerName]),
    [
      [1_000, 'Norte'],
      [0, 'Casa Luna'],
    ],
  );
  assert.equal(latest[0]!.paymentMethod, 'PayPal');
  assert.deepEqual([latest[1]!.buyerId, latest[1]!.amountMinor, latest[1]!.currency], [4_242, 1_250, 'USD']);
  assert.equal((await warehouse.latestSales(1)).length, 1);
  assert.deepEqual(
    (await warehouse.latestSales(5, 7)).map(({ customerName }) => customerName),
    ['Casa Luna'],
  );
});
