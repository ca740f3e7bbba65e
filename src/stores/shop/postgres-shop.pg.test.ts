import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import { isRetryable } from '../../lib/retry.ts';
import { postgresShop } from './postgres-shop.ts';
import { ensureShopSchema } from './schema.ts';
import type { NewInteraction, NewSale, NewShop } from './shop.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

async function emptyShop() {
  const [shopUrl, crmUrl] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, crmUrl);
  return { shopUrl, crmUrl, shop: postgresShop({ shopUrl, crmUrl }) };
}

const person = { name: "Ana O'Ñ", email: 'a@example.com', phone: '1' };
const GOODS: NewShop = {
  customers: ['Luna', 'Sol'].map((businessName) => ({
    ...person,
    businessName,
    subscriptionPlan: 'basic',
    logoUrl: '',
    storeUrl: '',
  })),
  buyers: [{ ...person, shippingAddress: 'here' }],
  products: [1, 0, 1].map((customerIndex, index) => ({
    customerIndex,
    name: `Thing ${index}`,
    description: '{"braces", and \\ backslashes}',
    category: 'Home',
    priceMinor: 1000 + index,
    currency: 'EUR',
    imageUrl: '',
  })),
};

const AT = Date.UTC(2026, 10, 24, 10, 53, 9, 123);
const SALE: NewSale = {
  buyerId: 1,
  customerId: 2,
  at: AT,
  totalMinor: 3003,
  currency: 'EUR',
  paymentMethod: 'PayPal',
  status: 'pending',
  sessionId: 's-1',
  items: [
    { productId: 3, quantity: 2, unitPriceMinor: 1001 },
    { productId: 1, quantity: 1, unitPriceMinor: 1001 },
  ],
};

test('fills an empty shop once, and reads it back', async (t) => {
  const { shop } = await emptyShop();
  t.after(() => shop.close());
  assert.equal(await shop.open(GOODS), true);
  assert.equal(await shop.open(GOODS), false);
  assert.deepEqual(await shop.catalogue(), {
    buyerIds: [1],
    products: [
      { productId: 1, customerId: 2, name: 'Thing 0', category: 'Home', priceMinor: 1000, currency: 'EUR' },
      { productId: 2, customerId: 1, name: 'Thing 1', category: 'Home', priceMinor: 1001, currency: 'EUR' },
      { productId: 3, customerId: 2, name: 'Thing 2', category: 'Home', priceMinor: 1002, currency: 'EUR' },
    ],
    lastTransactionId: 0,
    lastInteractionId: 0,
  });
});

test('writes a batch of sales with their items in one transaction, ids in order', async (t) => {
  const { shop, shopUrl } = await emptyShop();
  t.after(() => shop.close());
  await shop.open(GOODS);
  const ids = await shop.placeSales([SALE, { ...SALE, sessionId: 's-2', items: [SALE.items[1]!] }, SALE]);
  assert.deepEqual(ids, [1, 2, 3]);
  const heads = await postgres.sql(
    shopUrl,
    `SELECT transaction_id::int AS id, transaction_date, total_amount, currency, session_id, status, payment_method,
       buyer_id::int, customer_id::int FROM transaction WHERE transaction_id = 1`,
  );
  assert.deepEqual(heads, [
    {
      id: 1,
      transaction_date: new Date(AT),
      total_amount: '30.03',
      currency: 'EUR',
      session_id: 's-1',
      status: 'pending',
      payment_method: 'PayPal',
      buyer_id: 1,
      customer_id: 2,
    },
  ]);
  const items = await postgres.sql(
    shopUrl,
    `SELECT transaction_id::int AS sale, product_id::int AS product, quantity, unit_price
     FROM transactiondetail ORDER BY transaction_detail_id`,
  );
  const two = { product: 3, quantity: 2, unit_price: '10.01' };
  const one = { product: 1, quantity: 1, unit_price: '10.01' };
  assert.deepEqual(
    items,
    [
      [1, two],
      [1, one],
      [2, one],
      [3, two],
      [3, one],
    ].map(([sale, item]) => ({ sale, ...(item as object) })),
  );
  const xids = await postgres.sql(
    shopUrl,
    'SELECT DISTINCT xmin::text FROM (SELECT xmin FROM transaction UNION ALL SELECT xmin FROM transactiondetail) x',
  );
  assert.equal(xids.length, 1);
});

test('a sale that cannot be written leaves nothing of its batch', async (t) => {
  const { shop, shopUrl } = await emptyShop();
  t.after(() => shop.close());
  await shop.open(GOODS);
  const bad = { ...SALE, items: [{ productId: 99, quantity: 1, unitPriceMinor: 1 }] };
  await assert.rejects(shop.placeSales([SALE, bad]), { code: '23503' });
  assert.deepEqual(await postgres.sql(shopUrl, 'SELECT 1 FROM transaction'), []);
});

test('statuses change only from the status named; pending ones are found again', async (t) => {
  const { shop, shopUrl } = await emptyShop();
  t.after(() => shop.close());
  await shop.open(GOODS);
  await shop.placeSales([SALE, SALE, { ...SALE, status: 'completed' }]);
  await postgres.sql(shopUrl, 'UPDATE transaction SET session_id = NULL WHERE transaction_id = 2');
  assert.deepEqual(await shop.pendingSales(10), [1]);
  const changes = [
    { transactionId: 1, from: 'pending', to: 'completed', at: 1_795_517_589_120 },
    { transactionId: 3, from: 'pending', to: 'failed', at: 1_795_517_589_120 },
  ];
  assert.equal(await shop.changeStatuses(changes), 1);
  const rows = await postgres.sql<{ status: string }>(
    shopUrl,
    'SELECT status FROM transaction ORDER BY transaction_id',
  );
  assert.deepEqual(
    rows.map(({ status }) => status),
    ['completed', 'pending', 'completed'],
  );
});

test('products change name and price', async (t) => {
  const { shop } = await emptyShop();
  t.after(() => shop.close());
  await shop.open(GOODS);
  await shop.changeProducts([{ productId: 2, name: 'Other', priceMinor: 5 }]);
  const { products } = await shop.catalogue();
  assert.deepEqual([products[1]!.name, products[1]!.priceMinor], ['Other', 5]);
});

test('interactions keep search and cart', async (t) => {
  const { shop, crmUrl } = await emptyShop();
  t.after(() => shop.close());
  const visit: NewInteraction = {
    customerId: 2,
    buyerId: 1,
    sessionId: 's-1',
    interactionType: 'search_query',
    channel: 'website',
    at: AT,
    status: 'completed',
    productId: null,
    search: { query: 'a "quoted", {odd} \\ ñ', resultsCount: 0 },
    cart: null,
  };
  const items = [{ productId: 3, productName: "It's", priceMinor: 1099, quantity: 2 }];
  const cart = { step: 'add_to_cart', items, totalMinor: 2198, currency: 'EUR' } as const;
  await shop.recordInteractions([visit, { ...visit, search: null, productId: 3, cart }]);
  const rows = await postgres.sql(
    crmUrl,
    `SELECT interaction_id::int AS id, search_query, results_count, product_id::int, cart_step, cart_items, cart_total,
       currency, interaction_date FROM interaction ORDER BY interaction_id`,
  );
  const none = { product_id: null, cart_step: null, cart_items: null, cart_total: null, currency: null };
  assert.deepEqual(rows, [
    {
      id: 1,
      search_query: 'a "quoted", {odd} \\ ñ',
      results_count: 0,
      ...none,
      interaction_date: new Date(AT),
    },
    {
      id: 2,
      search_query: null,
      results_count: null,
      product_id: 3,
      cart_step: 'add_to_cart',
      cart_items: [{ product_id: 3, product_name: "It's", price: 10.99, quantity: 2 }],
      cart_total: '21.98',
      currency: 'EUR',
      interaction_date: new Date(AT),
    },
  ]);
});

test('an older shop gets the missing columns and keeps its own; its naive times are UTC', async (t) => {
  const [shopUrl, crmUrl] = [await postgres.database(), await postgres.database()];
  await postgres.sql(
    shopUrl,
    `CREATE TABLE customer (customer_id serial PRIMARY KEY, name text, business_name text, email text, phone text,
       subscription_plan text, logo_url text, store_url text);
     CREATE TABLE buyer (buyer_id serial PRIMARY KEY, name text, email text, phone text, shipping_address text);
     CREATE TABLE transaction (transaction_id serial PRIMARY KEY, buyer_id int, customer_id int,
       transaction_date timestamp, total_amount numeric(10,2), payment_method varchar(50), status varchar(20));
     INSERT INTO transaction (buyer_id, status) VALUES (1, 'completed')`,
  );
  await postgres.sql(
    shopUrl,
    `ALTER DATABASE ${new URL(shopUrl).pathname.slice(1)} SET timezone = 'Asia/Tokyo'`,
  );
  await ensureShopSchema(shopUrl, crmUrl);
  const shop = postgresShop({ shopUrl, crmUrl });
  t.after(() => shop.close());
  await shop.open(GOODS);
  assert.deepEqual(await shop.placeSales([SALE]), [2]);
  const rows = await postgres.sql(
    shopUrl,
    'SELECT currency, session_id, transaction_date::text AS at FROM transaction ORDER BY transaction_id',
  );
  assert.deepEqual(rows, [
    { currency: 'USD', session_id: null, at: null },
    { currency: 'EUR', session_id: 's-1', at: '2026-11-24 10:53:09.123' },
  ]);
});

test('completing the schema again changes nothing and waits for nobody', async () => {
  const { shopUrl, crmUrl, shop } = await emptyShop();
  await shop.open(GOODS);
  await shop.placeSales([SALE]);
  const client = new pg.Client({ connectionString: shopUrl });
  await client.connect();
  await client.query('BEGIN; LOCK TABLE transaction IN ACCESS SHARE MODE');
  await ensureShopSchema(shopUrl, crmUrl);
  await client.end();
  const identities = await postgres.sql<{ relname: string }>(
    shopUrl,
    "SELECT relname FROM pg_class WHERE relreplident = 'f' AND relkind = 'r' ORDER BY relname",
  );
  assert.deepEqual(
    identities.map(({ relname }) => relname),
    ['transaction', 'transactiondetail'],
  );
  await shop.close();
});

test('a lost connection is a passing fault, and the next call has a new one', async (t) => {
  const { shop, shopUrl } = await emptyShop();
  t.after(() => shop.close());
  await shop.open(GOODS);
  await shop.placeSales([SALE]);
  const blocked = shop.placeSales([SALE]).catch((error: unknown) => error);
  await postgres.sql(
    shopUrl,
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND pid <> pg_backend_pid()`,
  );
  const outcome = await blocked;
  assert.ok(Array.isArray(outcome) || isRetryable(outcome));
  const again = await shop.placeSales([SALE]).catch((error: unknown) => error);
  assert.ok(Array.isArray(again) || isRetryable(again));
  assert.ok(Array.isArray(await shop.placeSales([SALE])));
});
