import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import type { TransactionEvent } from '../../contracts/events/transaction.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { retry } from '../../lib/retry.ts';
import type { Broker, BrokerRecord } from '../../stores/broker/broker.ts';
import { readTopic } from '../../stores/broker/read-topic.ts';
import { sqliteBroker } from '../../stores/broker/sqlite-broker.ts';
import type { ShopDatabase } from '../../stores/shop/changes.ts';
import { dropFeed } from '../../stores/shop/drop-feed.ts';
import { logicalFeed } from '../../stores/shop/logical-feed.ts';
import { pollingFeed } from '../../stores/shop/polling-feed.ts';
import { postgresShopNames } from '../../stores/shop/postgres-shop-names.ts';
import type { CaptureMode } from '../../stores/shop/preflight.ts';
import { ensureShopSchema } from '../../stores/shop/schema.ts';
import { capture } from './capture.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

/** A shop with one merchant, buyer and two products, an empty log, and capture that can be started and stopped. */
async function shop(t: { after(fn: () => Promise<void>): void }, first: CaptureMode) {
  let mode = first;
  const [shopUrl, crmUrl] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, crmUrl);
  await postgres.sql(
    shopUrl,
    `INSERT INTO customer (name, subscription_plan) VALUES ('Casa Luna', 'premium'), ('Sol', 'basic');
     INSERT INTO buyer (name, email) VALUES ('Ana', 'ana@example.com');
     INSERT INTO product (customer_id, name, category, price)
     VALUES (1, 'Lamp', 'Home', 30), (1, 'Book', 'Books', 12.5)`,
  );
  const dir = mkdtempSync(join(tmpdir(), 'capture-'));
  const broker = await sqliteBroker({ dir, clock: systemClock, log: silentLog });
  await broker.createTopics(Object.values(TOPICS));
  let stop: (() => Promise<void>) | null = null;
  // The server needs a moment to see that a reader is gone.
  const drop = (url: string, database: ShopDatabase) =>
    retry(() => dropFeed(url, database), { clock: systemClock, signal: AbortSignal.timeout(5_000) });
  const start = (resnapshot = false) => {
    const feedOf = (url: string, database: ShopDatabase) => {
      const common = { url, database, clock: systemClock, log: silentLog };
      return mode === 'logical' ? logicalFeed(common) : pollingFeed({ ...common, intervalMs: 20 });
    };
    const feeds = [feedOf(shopUrl, 'instashop'), feedOf(crmUrl, 'crm_db')];
    const names = postgresShopNames(shopUrl);
    const abort = new AbortController();
    const stage = capture({
      feeds,
      names,
      broker,
      clock: systemClock,
      log: silentLog,
      dir,
      mainCurrency: 'USD',
      resnapshot,
    });
    const running = stage.run(abort.signal);
    // Its fault is the test's to await, when it stops the stage.
    running.catch(() => {});
    stop = async () => {
      stop = null;
      abort.abort();
      await running.finally(() => Promise.all([...feeds.map((feed) => feed.close()), names.close()]));
    };
    return stage;
  };
  t.after(async () => {
    await stop?.();
    await broker.close();
    await drop(shopUrl, 'instashop');
    await drop(crmUrl, 'crm_db');
    rmSync(dir, { recursive: true });
  });
  return {
    broker,
    dir,
    start,
    stop: () => stop!(),
    dropSlot: () => drop(shopUrl, 'instashop'),
    mode: (next: CaptureMode) => {
      mode = next;
    },
    sql: (text: string) => postgres.sql(shopUrl, text),
    crm: (text: string) => postgres.sql(crmUrl, text),
    sales: (count: number) => records(broker, TOPICS.transactions.name, count) as Promise<TransactionEvent[]>,
  };
}

/** The events of a topic in source order, once there are so many. */
async function records(broker: Broker, topic: string, count: number): Promise<unknown[]> {
  for (let waited = 0; ; waited += 20) {
    const found: BrokerRecord[] = [];
    await readTopic(broker, topic, async (record) => void found.push(record));
    if (found.length >= count || waited > 8_000) {
      const events = found.map(({ value }) => JSON.parse(Buffer.from(value).toString()));
      assert.equal(
        events.length,
        count,
        `records in ${topic}: ${JSON.stringify(events.slice(0, 20).map((event) => event.op))}`,
      );
      return events.sort((one, other) => (one.source_position < other.source_position ? -1 : 1));
    }
    await systemClock.sleep(20);
  }
}

const SALE = `INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status)`;
const ITEM = 'INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)';
const ledger = (events: TransactionEvent[]) =>
  events.map(({ op, status, previous_status, total_amount_minor, items }) => [
    op,
    previous_status,
    status,
    total_amount_minor,
    items.map(({ product_name, quantity }) => `${quantity} ${product_name}`).join(),
  ]);

for (const mode of ['logical', 'polling'] as const) {
  test(`${mode}: header and items of one transaction are one event, with their names`, async (t) => {
    const { start, sql, sales } = await shop(t, mode);
    start();
    await systemClock.sleep(300);
    await sql(
      `BEGIN; ${SALE} VALUES (1, 1, '2026-11-24 10:00:00.123456+01', 72.5, 'PayPal', 'completed');
     ${ITEM} VALUES (1, 1, 2, 30), (1, 2, 1, 12.5); COMMIT`,
    );
    const [sale] = await sales(1);
    assert.equal(sale!.event_time, Date.parse('2026-11-24T09:00:00.123Z'));
    assert.equal(sale!.total_amount_minor, 7250);
    assert.deepEqual(
      [sale!.customer_name, sale!.subscription_plan, sale!.buyer_email, sale!.currency],
      ['Casa Luna', 'premium', 'ana@example.com', 'USD'],
    );
    assert.deepEqual(ledger([sale!]), [['placed', null, 'completed', 7250, '2 Lamp,1 Book']]);
  });

  test(`${mode}: every kind of change is one ledger event; rolled back ones are none`, async (t) => {
    const { start, sql, sales } = await shop(t, mode);
    start();
    await systemClock.sleep(300);
    await sql(`${SALE} VALUES (1, 1, now(), 30, 'PayPal', 'pending')`);
    await sql(`${ITEM} VALUES (1, 1, 1, 30)`);
    await sql(`BEGIN; UPDATE transaction SET status = 'completed'; ROLLBACK`);
    await sql(`UPDATE transaction SET status = 'completed'`);
    await sql(`UPDATE transaction SET total_amount = 31`);
    await sql(`UPDATE transaction SET status = status`);
    await sql(
      `BEGIN; UPDATE transaction SET status = 'failed'; UPDATE transaction SET status = 'refunded'; COMMIT`,
    );
    await sql(`UPDATE transaction SET currency = 'EUR'`);
    await sql('BEGIN; DELETE FROM transactiondetail; DELETE FROM transaction; COMMIT');
    await sql(
      `BEGIN; ${SALE} VALUES (1, 1, now(), 9, 'PayPal', 'completed'); DELETE FROM transaction; COMMIT`,
    );
    const events = await sales(8);
    assert.deepEqual(ledger(events), [
      ['placed', null, 'pending', 3000, ''],
      ['items_changed', 'pending', 'pending', 3000, '1 Lamp'],
      ['status_changed', 'pending', 'completed', 3000, '1 Lamp'],
      ['amended', 'completed', 'completed', 3100, '1 Lamp'],
      ['status_changed', 'completed', 'refunded', 3100, '1 Lamp'],
      ['withdrawn', 'refunded', 'withdrawn', 3100, '1 Lamp'],
      ['restated', null, 'refunded', 3100, '1 Lamp'],
      ['deleted', 'refunded', 'deleted', 3100, '1 Lamp'],
    ]);
    assert.deepEqual(events[1]!.previous_items, []);
    assert.equal(new Set(events.map(({ event_id }) => event_id)).size, 8);
  });

  test(`${mode}: what happens while capture is stopped is captured after it; nothing comes twice`, async (t) => {
    const { start, stop, sql, sales } = await shop(t, mode);
    await sql(`${SALE} VALUES (1, 1, now(), 30, 'PayPal', 'pending'); ${ITEM} VALUES (1, 1, 1, 30)`);
    start();
    const [placed] = await sales(1);
    assert.equal(placed!.op, 'placed');
    await stop();
    await sql(`UPDATE transaction SET status = 'completed'`);
    await sql(`UPDATE product SET name = 'Old lamp' WHERE product_id = 1`);
    start();
    await sales(2);
    await stop();
    start();
    await sql(`UPDATE transaction SET status = 'refunded'`);
    const events = await sales(3);
    assert.deepEqual(
      events.map(({ status }) => status),
      ['pending', 'completed', 'refunded'],
    );
    assert.equal(events[2]!.items[0]!.product_name, 'Old lamp');
  });

  test(`${mode}: an interaction goes to one topic, by what it is`, async (t) => {
    const { start, crm, broker } = await shop(t, mode);
    start();
    await systemClock.sleep(300);
    const columns = `interaction (customer_id, interaction_type, session_id, search_query, results_count, cart_step,
    cart_items, cart_total)`;
    await crm(`INSERT INTO ${columns} VALUES
    (1, 'website_visit', 's1', NULL, NULL, NULL, NULL, NULL),
    (2, 'search_query', 's1', 'lamp', 0, NULL, NULL, NULL),
    (1, 'purchase_intent', 's1', NULL, NULL, 'add_to_cart',
     '[{"product_id": 1, "product_name": "Lamp", "price": 30, "quantity": 2}]', 60),
    (NULL, 'home', NULL, NULL, NULL, NULL, NULL, NULL)`);
    await crm(`DELETE FROM interaction WHERE interaction_type = 'search_query'`);
    const behavior = (await records(broker, TOPICS.userBehavior.name, 2)) as {
      customer_name: string | null;
    }[];
    assert.deepEqual(behavior.map(({ customer_name }) => customer_name).sort(), ['Casa Luna', null]);
    const searches = (await records(broker, TOPICS.searches.name, 2)) as {
      op: string;
      search_query: string;
    }[];
    assert.deepEqual(
      searches.map(({ op, search_query }) => [op, search_query]),
      [
        ['recorded', 'lamp'],
        ['deleted', 'lamp'],
      ],
    );
    const [cart] = (await records(broker, TOPICS.cartEvents.name, 1)) as {
      cart_total_minor: number;
      event_type: string;
    }[];
    assert.deepEqual([cart!.event_type, cart!.cart_total_minor], ['add_to_cart', 6000]);
  });

  test(`${mode}: a row that no event can hold is a dead letter, and its correction is captured`, async (t) => {
    const { start, sql, sales, broker } = await shop(t, mode);
    start();
    await systemClock.sleep(300);
    await sql(`${SALE} VALUES (1, 1, now(), 'NaN', 'PayPal', 'completed')`);
    await sql(`${SALE} VALUES (1, 1, 'infinity', 5, 'PayPal', 'completed')`);
    await sql(`${SALE} VALUES (1, 1, now(), 7, 'PayPal', 'qué?')`);
    const letters = await records(broker, TOPICS.deadLetters.name, 2);
    assert.equal(letters.length, 2);
    await sql(`UPDATE transaction SET total_amount = 8 WHERE transaction_id = 1`);
    assert.deepEqual(ledger(await sales(2)), [
      ['placed', null, 'qué?', 700, ''],
      ['restated', null, 'completed', 800, ''],
    ]);
  });

  test(`${mode}: a transaction of many rows is captured whole`, async (t) => {
    const { start, sql, sales } = await shop(t, mode);
    start();
    await systemClock.sleep(300);
    await sql(`BEGIN;
    ${SALE} SELECT 1, 1, now(), 30, 'PayPal', 'completed' FROM generate_series(1, 15000);
    ${ITEM} SELECT i, 1, 1, 30 FROM generate_series(1, 15000) i; COMMIT`);
    const events = await sales(15_000 + 10_000);
    const net = new Map<number, number>();
    for (const { transaction_id, items } of events) net.set(transaction_id, items.length);
    assert.equal(net.size, 15_000);
    assert.ok([...net.values()].every((items) => items === 1));
  });
}

test('a visit that no event could hold counts once it is corrected', async (t) => {
  const { start, crm, broker } = await shop(t, 'logical');
  start();
  await systemClock.sleep(300);
  await crm(
    `INSERT INTO interaction (interaction_type, interaction_date) VALUES ('home', 'infinity'), ('faq', now())`,
  );
  await records(broker, TOPICS.deadLetters.name, 1);
  await crm('UPDATE interaction SET interaction_date = now()');
  const ops = (
    (await records(broker, TOPICS.userBehavior.name, 3)) as { op: string; interaction_type: string }[]
  ).map(({ op, interaction_type }) => `${interaction_type} ${op}`);
  assert.deepEqual(ops.toSorted(), ['faq recorded', 'faq updated', 'home recorded']);
});

test('a polled shop compared again has no differences; TRUNCATE stops until it is', async (t) => {
  const { start, stop, sql, crm, sales, broker } = await shop(t, 'polling');
  start();
  await systemClock.sleep(300);
  await sql(`BEGIN; ${SALE} VALUES (1, 1, now(), 10, 'PayPal', 'completed');
    ${ITEM} VALUES (1, 1, 1, 10.00); COMMIT`);
  await crm(`INSERT INTO interaction (interaction_type, cart_step, cart_items, cart_total)
    VALUES ('purchase_intent', 'add_to_cart',
            '[{"product_id": 1, "product_name": "Lamp", "price": 10.00, "quantity": 1}]', 10)`);
  await sales(1);
  await records(broker, TOPICS.cartEvents.name, 1);
  await stop();
  start(true);
  await systemClock.sleep(500);
  await sales(1);
  await records(broker, TOPICS.cartEvents.name, 1);
  await crm('TRUNCATE interaction');
  await systemClock.sleep(300);
  await assert.rejects(stop(), /interaction was emptied with TRUNCATE/);
  start(true);
  await records(broker, TOPICS.cartEvents.name, 2);
});

test('another mode of capture has other positions, and is refused', async (t) => {
  const { start, stop, sql, sales, mode } = await shop(t, 'logical');
  start();
  await systemClock.sleep(300);
  await sql(`${SALE} VALUES (1, 1, now(), 10, 'PayPal', 'completed')`);
  await sales(1);
  await stop();
  mode('polling');
  start(true);
  await systemClock.sleep(300);
  await assert.rejects(stop(), /lower positions than the log/);
});

test('a lost slot stops loudly; with resnapshot only the differences are published', async (t) => {
  const { start, stop, sql, sales, dropSlot } = await shop(t, 'logical');
  await sql(`${SALE} VALUES (1, 1, now(), 10, 'PayPal', 'pending'), (1, 1, now(), 20, 'PayPal', 'completed'),
    (1, 1, now(), 30, 'PayPal', 'completed')`);
  start();
  await sales(3);
  await stop();
  await dropSlot();
  await sql(`UPDATE transaction SET status = 'completed' WHERE transaction_id = 1`);
  await sql('DELETE FROM transaction WHERE transaction_id = 2');
  start();
  await systemClock.sleep(300);
  await assert.rejects(stop(), /slot instashop_live_instashop is gone/);
  start(true);
  const events = await sales(5);
  assert.deepEqual(ledger(events.slice(3)), [
    ['status_changed', 'pending', 'completed', 1000, ''],
    ['deleted', 'completed', 'deleted', 2000, ''],
  ]);
});
