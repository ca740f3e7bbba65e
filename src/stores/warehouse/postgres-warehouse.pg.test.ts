import assert from 'node:assert/strict';
import test, { after as afterAll } from 'node:test';
import { testPostgres } from '../../../test/support/postgres.ts';
import { CART_EXAMPLE, USER_BEHAVIOR_EXAMPLE } from '../../contracts/events/interaction.ts';
import type { Clock } from '../../lib/clock.ts';
import { eventId } from '../../lib/ids.ts';
import { isRetryable } from '../../lib/retry.ts';
import { postgresWarehouse } from './postgres-warehouse.ts';
import { after, HOUR, loadAll, records, sale, warehouseSuite } from './warehouse.suite.ts';

const DAY_MS = 86_400_000;
const postgres = await testPostgres();
afterAll(() => postgres.stop());

const clockAt = (nowMs: number): Clock => ({ now: () => nowMs, sleep: async () => {} });
const clock = clockAt(HOUR);
const open = async () => {
  const url = await postgres.database();
  const warehouse = postgresWarehouse({ url, clock });
  await warehouse.migrate();
  const sql = <R extends Record<string, unknown>>(text: string) => postgres.sql<R>(url, text);
  return { url, warehouse, sql };
};

warehouseSuite('postgres', async () => (await open()).warehouse);

test('migrating twice and at the same time changes nothing', async () => {
  const url = await postgres.database();
  const warehouses = [1, 2, 3].map(() => postgresWarehouse({ url, clock }));
  await Promise.all(warehouses.map((each) => each.migrate()));
  await warehouses[0]!.migrate();
  const applied = await postgres.sql<{ name: string }>(
    url,
    'SELECT name FROM schema_migrations ORDER BY name',
  );
  assert.deepEqual(
    applied.map(({ name }) => name),
    ['001-events.sql', '002-rollups.sql', '003-people.sql'],
  );
  for (const each of warehouses) await each.close();
});

test("another system's table of the same name is left alone, with a remedy", async () => {
  const url = await postgres.database();
  await postgres.sql(url, 'CREATE TABLE realtime_events (id serial)');
  const warehouse = postgresWarehouse({ url, clock });
  await assert.rejects(warehouse.migrate(), { name: 'UserError', remedy: /RENAME/ });
  await warehouse.close();
});

test('the connection dies before the commit: nothing is stored, and the fault is retryable', async () => {
  const { url, warehouse } = await open();
  const batch = records('transactions', 0, [sale(1), { ...sale(2), buyer_name: '\u0000' }]);
  const killed = warehouse.load(batch, after(batch), async () => {
    await postgres.sql(
      url,
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
       WHERE application_name = 'instashop-warehouse' AND state = 'idle in transaction'`,
    );
  });
  await assert.rejects(killed, isRetryable);
  assert.equal((await warehouse.offsets()).size, 0);
  assert.equal((await warehouse.totals()).events, 0);
  assert.equal((await warehouse.load(batch, after(batch), async () => {})).inserted, 1);
  await warehouse.close();
});

test('two loaders with the same records: each is stored once', async () => {
  const { url, warehouse } = await open();
  const other = postgresWarehouse({ url, clock });
  const batch = records(
    'transactions',
    0,
    Array.from({ length: 200 }, (_, id) => sale(id)),
  );
  const results = await Promise.all([loadAll(warehouse, batch), loadAll(other, batch)]);
  assert.equal(results[0].inserted + results[1].inserted, 200);
  assert.equal((await warehouse.history(HOUR, HOUR + 1))[0]?.completed, 200);
  await warehouse.close();
  await other.close();
});

test('days near now have partitions; others wait in the default one and move over in their time', async () => {
  const { url, warehouse, sql } = await open();
  const days = [-401, -400, 0, 2, 3].map((day) => HOUR + day * DAY_MS);
  const events = days.map((event_time, id) => sale(id, { event_time }));
  await loadAll(warehouse, records('transactions', 0, events));
  const count = async (table: string) => Number((await sql(`SELECT count(*) AS n FROM ${table}`))[0]?.['n']);
  const table = (time: number) =>
    `realtime_events_${new Date(time).toISOString().slice(0, 10).replaceAll('-', '')}`;
  for (const day of days.slice(1, 4)) assert.equal(await count(table(day)), 1);
  assert.equal(await count('realtime_events_other'), 2);

  const tomorrow = postgresWarehouse({ url, clock: clockAt(HOUR + DAY_MS) });
  await loadAll(tomorrow, records('transactions', 5, [sale(9, { event_time: days[4]! + 5 })]));
  assert.equal(await count(table(days[4]!)), 2);
  assert.equal(await count('realtime_events_other'), 1);
  const again = await loadAll(tomorrow, records('transactions', 6, events));
  assert.deepEqual(again, { inserted: 0, repeated: 5, rejected: 0 });
  await warehouse.close();
  await tomorrow.close();
});

test('pruning drops the days past the retention with their rollups, and nothing else', async () => {
  const { url, warehouse } = await open();
  const events = [-3, -2, -1, 0].map((day, id) => sale(id, { event_time: HOUR + day * DAY_MS }));
  await loadAll(warehouse, records('transactions', 0, events));
  const short = postgresWarehouse({ url, clock, retentionDays: 2 });
  assert.equal(await short.prune(), 1);
  assert.equal(await short.prune(), 0);
  const hours = await short.history(HOUR - 10 * DAY_MS, HOUR + DAY_MS);
  assert.deepEqual(
    hours.map(({ hour }) => hour),
    [-2, -1, 0].map((day) => HOUR + day * DAY_MS),
  );
  assert.equal((await short.totals()).events, 3);
  assert.equal((await short.accounting()).events.length, 3);
  await warehouse.close();
  await short.close();
});

test('a session has the best outcome it reached, however its events were split', async () => {
  const { warehouse, sql } = await open();
  let made = 0;
  const cart = (session_id: string, event_type: typeof CART_EXAMPLE.event_type) =>
    ({ ...CART_EXAMPLE, session_id, event_type, event_id: eventId(`cart/${++made}`) }) as const;
  const visit = (session_id: string) =>
    ({ ...USER_BEHAVIOR_EXAMPLE, session_id, event_id: eventId(`visit/${++made}`) }) as const;
  await loadAll(
    warehouse,
    records('cart_events', 0, [cart('a', 'add_to_cart'), cart('b', 'cart_abandonment')]),
  );
  await loadAll(warehouse, records('user_behavior', 0, [visit('a'), visit('b'), visit('c')]));
  await loadAll(warehouse, records('transactions', 0, [sale(1, { session_id: 'a' })]));
  await loadAll(warehouse, records('cart_events', 2, [cart('a', 'cart_abandonment')]));
  const sessions = await sql(
    'SELECT session_id, customer_id::int, outcome, session_data FROM customer_sessions ORDER BY 1',
  );
  assert.deepEqual(sessions, [
    { session_id: 'a', customer_id: 7, outcome: 'conversion', session_data: { events: 4, sales: 1 } },
    { session_id: 'b', customer_id: 7, outcome: 'cart_abandonment', session_data: { events: 2, sales: 0 } },
    { session_id: 'c', customer_id: 7, outcome: 'bounce', session_data: { events: 1, sales: 0 } },
  ]);
  await warehouse.close();
});

test("the original's readers find their columns", async () => {
  const { warehouse, sql } = await open();
  await loadAll(warehouse, records('transactions', 0, [sale(1)]));
  const rows = await sql(
    `SELECT event_type, "timestamp", customer_id::int, customer_name, product_id, product_name, category,
            amount::text, session_id, raw_data->>'payment_method' AS payment, processed_at > '2020-01-01' AS processed,
            source, id::int FROM realtime_events WHERE "timestamp" > '2020-01-01'`,
  );
  assert.deepEqual(rows, [
    {
      event_type: 'transaction',
      timestamp: new Date(HOUR + 1),
      customer_id: 7,
      customer_name: 'Casa Luna',
      product_id: null,
      product_name: null,
      category: null,
      amount: '59.98',
      session_id: 's-000000001a2b',
      payment: 'Credit Card',
      processed: true,
      source: 'postgresql_realtime',
      id: 1,
    },
  ]);
  await warehouse.close();
});
