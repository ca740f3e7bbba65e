import pg from 'pg';
import type { Catalogue, NewInteraction, NewSale, NewShop, Shop } from './shop.ts';
import * as sql from './statements.ts';

export interface PostgresShopOptions {
  /** Databases instashop and crm_db, with the tables of schema.ts. */
  readonly shopUrl: string;
  readonly crmUrl: string;
}

/** The shop in PostgreSQL: one connection a database, made anew after a fault; one statement a batch. */
export function postgresShop({ shopUrl, crmUrl }: PostgresShopOptions): Shop {
  const shop = connection(shopUrl);
  const crm = connection(crmUrl);
  return {
    open: (goods) => open(shop, goods),
    catalogue: () => catalogue(shop, crm),
    async pendingSales(limit) {
      const { rows } = await shop.query<{ id: string }>(sql.PENDING_SALES, [limit]);
      return rows.map(({ id }) => Number(id));
    },
    async placeSales(sales) {
      const { rows } = await shop.query<[string]>({
        name: 'place-sales',
        text: sql.PLACE_SALES,
        values: saleColumns(sales),
        rowMode: 'array',
      });
      return rows.map(([id]) => Number(id));
    },
    async changeStatuses(changes) {
      const ids = numbers(changes, (change) => change.transactionId);
      const times = numbers(changes, (change) => change.at);
      const values = [ids, changes.map(({ from }) => from), changes.map(({ to }) => to), times];
      const { rowCount } = await shop.query({ name: 'change-statuses', text: sql.CHANGE_STATUSES, values });
      return rowCount ?? 0;
    },
    async changeProducts(changes) {
      const ids = numbers(changes, (change) => change.productId);
      const prices = numbers(changes, (change) => change.priceMinor);
      await shop.query(sql.CHANGE_PRODUCTS, [ids, changes.map(({ name }) => name), prices]);
    },
    async recordInteractions(interactions) {
      const values = interactionColumns(interactions);
      await crm.query({ name: 'record-interactions', text: sql.RECORD_INTERACTIONS, values });
    },
    async close() {
      await Promise.all([shop.end(), crm.end()]);
    },
  };
}

function connection(connectionString: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: 10_000,
    keepAlive: true,
    application_name: 'instashop generator',
    // Where the columns are naive timestamps of an older shop, they mean UTC.
    options: '-c timezone=UTC',
  });
  // A connection lost between two statements shows in the next one.
  pool.on('error', () => undefined);
  return pool;
}

async function open(pool: pg.Pool, goods: NewShop): Promise<boolean> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query(sql.LOCK_OPENING);
    const { rows } = await client.query<{ empty: boolean }>(sql.IS_EMPTY);
    const empty = rows[0]?.empty === true;
    if (empty) await fill(client, goods);
    await client.query('COMMIT');
    client.release();
    return empty;
  } catch (error) {
    client.release(true);
    throw error;
  }
}

async function fill(client: pg.PoolClient, { customers, buyers, products }: NewShop): Promise<void> {
  const names = [
    'name',
    'businessName',
    'email',
    'phone',
    'subscriptionPlan',
    'logoUrl',
    'storeUrl',
  ] as const;
  const { rows } = await client.query<{ id: string }>(sql.INSERT_CUSTOMERS, columns(customers, names));
  await client.query(sql.INSERT_BUYERS, columns(buyers, ['name', 'email', 'phone', 'shippingAddress']));
  const owners = products.map((product) => Number(rows[product.customerIndex]!.id));
  const rest = ['name', 'description', 'category', 'priceMinor', 'currency', 'imageUrl'] as const;
  await client.query(sql.INSERT_PRODUCTS, [owners, ...columns(products, rest)]);
}

const columns = <T>(rows: readonly T[], names: readonly (keyof T)[]): unknown[][] =>
  names.map((name) => rows.map((row) => row[name]));

async function catalogue(shop: pg.Pool, crm: pg.Pool): Promise<Catalogue> {
  const buyers = await shop.query<{ id: string }>('SELECT buyer_id AS id FROM buyer ORDER BY buyer_id');
  const products = await shop.query<Record<string, string>>(sql.PRODUCTS);
  const sales = await shop.query<{ last: string }>(sql.LAST_TRANSACTION);
  const interactions = await crm.query<{ last: string }>(sql.LAST_INTERACTION);
  return {
    buyerIds: buyers.rows.map(({ id }) => Number(id)),
    products: products.rows.map((row) => ({
      productId: Number(row['product_id']),
      customerId: Number(row['customer_id']),
      name: row['name']!,
      category: row['category']!,
      priceMinor: Number(row['price_minor']),
      currency: row['currency']!,
    })),
    lastTransactionId: Number(sales.rows[0]!.last),
    lastInteractionId: Number(interactions.rows[0]!.last),
  };
}

/** An array of numbers as PostgreSQL writes it: a quarter of what the driver needs for it. */
const numbers = <T>(rows: readonly T[], of: (row: T) => number | null): string =>
  `{${rows.map((row) => of(row) ?? 'NULL').join(',')}}`;

function saleColumns(sales: readonly NewSale[]): unknown[] {
  const items = sales.flatMap((sale, index) => sale.items.map((item) => ({ ...item, sale: index + 1 })));
  return [
    numbers(sales, (sale) => sale.buyerId),
    numbers(sales, (sale) => sale.customerId),
    numbers(sales, (sale) => sale.at),
    numbers(sales, (sale) => sale.totalMinor),
    sales.map((sale) => sale.currency),
    sales.map((sale) => sale.paymentMethod),
    sales.map((sale) => sale.status),
    sales.map((sale) => sale.sessionId),
    numbers(items, (item) => item.sale),
    numbers(items, (item) => item.productId),
    numbers(items, (item) => item.quantity),
    numbers(items, (item) => item.unitPriceMinor),
  ];
}

const cartJson = (items: NonNullable<NewInteraction['cart']>['items']): string =>
  JSON.stringify(
    items.map((item) => ({
      product_id: item.productId,
      product_name: item.productName,
      price: item.priceMinor / 100,
      quantity: item.quantity,
    })),
  );

function interactionColumns(interactions: readonly NewInteraction[]): unknown[] {
  return [
    numbers(interactions, (row) => row.customerId),
    interactions.map((row) => row.interactionType),
    interactions.map((row) => row.channel),
    numbers(interactions, (row) => row.at),
    interactions.map((row) => row.status),
    numbers(interactions, (row) => row.buyerId),
    interactions.map((row) => row.sessionId),
    numbers(interactions, (row) => row.productId),
    interactions.map((row) => row.search?.query ?? null),
    numbers(interactions, (row) => row.search?.resultsCount ?? null),
    interactions.map((row) => row.cart?.step ?? null),
    interactions.map((row) => (row.cart ? cartJson(row.cart.items) : null)),
    numbers(interactions, (row) => row.cart?.totalMinor ?? null),
    interactions.map((row) => row.cart?.currency ?? null),
  ];
}
