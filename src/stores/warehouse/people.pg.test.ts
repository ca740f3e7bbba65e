// People counted by the warehouse: against known rows, and against a plain count of the events themselves.
import assert from 'node:assert/strict';
import test, { after as afterAll } from 'node:test';
import { testPostgres } from '../../../test/support/postgres.ts';
import type { ShopEvent } from '../../contracts/events/events.ts';
import {
  CART_EVENT_TYPES,
  CART_EXAMPLE,
  type CartEvent,
  USER_BEHAVIOR_EXAMPLE,
} from '../../contracts/events/interaction.ts';
import type { TransactionEvent } from '../../contracts/events/transaction.ts';
import { eventId } from '../../lib/ids.ts';
import { seededRandom } from '../../lib/random.ts';
import { postgresWarehouse } from './postgres-warehouse.ts';
import { HOUR, loadAll, records, refund, sale } from './warehouse.suite.ts';
import { ABANDONED_AFTER_MS, type People, SESSION_MS_MAX, type Warehouse } from './warehouse.ts';

const MINUTE_MS = 60_000;
const postgres = await testPostgres();
afterAll(() => postgres.stop());

let made = 0;
const look = (session_id: string | null, event_time: number, change: object = {}): ShopEvent => ({
  ...USER_BEHAVIOR_EXAMPLE,
  ...{ session_id, event_time, event_id: eventId(`look/${++made}`) },
  ...change,
});
const cart = (
  session_id: string,
  event_type: CartEvent['event_type'],
  event_time: number,
  cart_total_minor = 1_000,
  change: object = {},
): ShopEvent => ({
  ...CART_EXAMPLE,
  ...{ session_id, event_type, event_time, cart_total_minor, event_id: eventId(`cart/${++made}`) },
  ...change,
});
const bought = (
  id: number,
  session_id: string | null,
  at: number,
  change: Partial<TransactionEvent> = {},
): TransactionEvent => sale(id, { session_id, event_time: at, sale_time: at, ...change });

async function withWarehouse(
  check: (warehouse: Warehouse, load: Load, url: string) => Promise<void>,
): Promise<void> {
  const url = await postgres.database();
  const warehouse = postgresWarehouse({ url, clock: { now: () => HOUR, sleep: async () => {} } });
  await warehouse.migrate();
  let offset = 0;
  try {
    await check(
      warehouse,
      async (...events) => {
        const batch = events.map((event) => records(event.event_type, ++offset, [event])[0]!);
        await loadAll(warehouse, batch);
      },
      url,
    );
  } finally {
    await warehouse.close();
  }
}
type Load = (...events: readonly ShopEvent[]) => Promise<void>;

const NOBODY: People = {
  ...{ sessions: 0, viewed: 0, carted: 0, checkedOut: 0, bought: 0 },
  ...{ cartedOfViewed: 0, checkedOutOfCarted: 0, boughtOfCheckedOut: 0 },
  ...{ money: [], sessionlessSales: 0, buyers: 0, newBuyers: 0 },
};
const NO_MONEY = {
  ...{
    currency: 'USD',
    cartMinor: 0,
    checkoutMinor: 0,
    boughtMinor: 0,
    boughtOfCheckedOutMinor: 0,
    abandoned: 0,
    abandonedMinor: 0,
  },
};

test('an empty warehouse, and an empty range, have nobody', () =>
  withWarehouse(async (warehouse, load) => {
    assert.deepEqual(await warehouse.people(HOUR, HOUR + MINUTE_MS), NOBODY);
    assert.deepEqual(await warehouse.productViews(HOUR, HOUR + MINUTE_MS, 10), []);
    await load(look('a', HOUR), bought(1, 'b', HOUR));
    assert.deepEqual(await warehouse.people(HOUR + 1, HOUR + MINUTE_MS), NOBODY);
    assert.deepEqual(await warehouse.people(HOUR, HOUR), NOBODY);
  }));

test('steps: each session once, what it did by the end, with the money of its carts and sales', () =>
  withWarehouse(async (warehouse, load) => {
    await load(
      ...[look('whole', HOUR), look('whole', HOUR + 1), cart('whole', 'add_to_cart', HOUR + 2, 700)],
      ...[cart('whole', 'add_to_cart', HOUR + 3, 900), cart('whole', 'remove_from_cart', HOUR + 4, 500)],
      ...[
        cart('whole', 'checkout', HOUR + 5, 500),
        bought(1, 'whole', HOUR + 6, { total_amount_minor: 450 }),
      ],
      ...[look('looks', HOUR), cart('carts', 'add_to_cart', HOUR, 300), bought(2, 'direct', HOUR)],
      ...[bought(3, 'fails', HOUR, { status: 'failed' }), bought(4, null, HOUR)],
    );
    const money = {
      ...NO_MONEY,
      cartMinor: 800,
      checkoutMinor: 500,
      boughtMinor: 450 + 5_998,
      boughtOfCheckedOutMinor: 450,
    };
    assert.deepEqual(await warehouse.people(HOUR, HOUR + MINUTE_MS), {
      ...{ sessions: 5, viewed: 2, carted: 2, checkedOut: 1, bought: 2 },
      ...{ cartedOfViewed: 1, checkedOutOfCarted: 1, boughtOfCheckedOut: 1 },
      ...{ money: [money], sessionlessSales: 1, buyers: 1, newBuyers: 1 },
    });
    const { sessions, viewed, carted, checkedOut, bought: sold } = await warehouse.people(HOUR, HOUR + 5);
    assert.deepEqual([sessions, viewed, carted, checkedOut, sold], [5, 2, 2, 0, 1]);
  }));

test('time borders: the start is in, the end is not; a session lasts from its first to its last event', () =>
  withWarehouse(async (warehouse, load) => {
    await load(look('a', HOUR), look('a', HOUR + 100));
    const seen = async (from: number, to: number) =>
      (await warehouse.people(HOUR + from, HOUR + to)).sessions;
    assert.deepEqual(
      await Promise.all([seen(0, 1), seen(-9, 0), seen(100, 101), seen(101, 200)]),
      [1, 0, 1, 0],
    );
    assert.equal(await seen(40, 60), 1);
    await load(look('a', HOUR + SESSION_MS_MAX + 59));
    assert.deepEqual(await Promise.all([seen(40, 60), seen(40, 59)]), [1, 0]);
  }));

test('a sale counts when it is completed, is corrected with it, and stays when it is refunded', () =>
  withWarehouse(async (warehouse, load) => {
    const of = { previous_total_amount_minor: 100 };
    const last = { previous_total_amount_minor: 80 };
    await load(bought(1, 'a', HOUR, { status: 'pending', total_amount_minor: 100 }));
    const read = async () => {
      const { bought: sold, money, buyers } = await warehouse.people(HOUR, HOUR + MINUTE_MS);
      return [sold, money[0]?.boughtMinor, buyers];
    };
    assert.deepEqual(await read(), [0, 0, 0]);
    const completed = { op: 'status_changed', previous_status: 'pending', total_amount_minor: 100 } as const;
    await load(bought(1, 'a', HOUR + 5, { ...completed, ...of }));
    assert.deepEqual(await read(), [1, 100, 1]);
    const amended = { op: 'amended', previous_status: 'completed', total_amount_minor: 80 } as const;
    await load(
      bought(1, 'a', HOUR + 6, { ...amended, ...of }),
      bought(1, 'a', HOUR + 7, { op: 'items_changed' }),
    );
    assert.deepEqual(await read(), [1, 80, 1]);
    await load(refund(1, { session_id: 'a', ...last }));
    assert.deepEqual(await read(), [1, 80, 1]);
    assert.equal((await warehouse.people(HOUR + MINUTE_MS, HOUR + 9 * 3_600_000)).sessions, 0);
    await load(
      bought(1, 'a', HOUR + 8, { op: 'deleted', status: 'deleted', previous_status: 'completed', ...last }),
    );
    assert.equal((await read())[1], 0);
  }));

test('different currencies are never added: a session of two has its money apart', () =>
  withWarehouse(async (warehouse, load) => {
    const euro = { currency: 'EUR' };
    await load(cart('a', 'add_to_cart', HOUR, 10), cart('b', 'add_to_cart', HOUR, 20, euro));
    await load(
      cart('mixed', 'add_to_cart', HOUR, 40),
      bought(1, 'mixed', HOUR + 1, euro),
      look('a', HOUR + 2),
    );
    await load(cart('c', 'add_to_cart', HOUR, 5));
    await load(cart('c', 'add_to_cart', HOUR + 1, 7, euro));
    const { money, carted } = await warehouse.people(HOUR, HOUR + MINUTE_MS);
    assert.equal(carted, 4);
    assert.deepEqual(
      money.map(({ currency, cartMinor, boughtMinor }) => [currency, cartMinor, boughtMinor]),
      [
        ['EUR', 20, 0],
        ['USD', 10, 0],
        ['mixed', 47, 5_998],
      ],
    );
  }));

test('a cart is abandoned 30 minutes after its session fell silent, unless it is empty, checked out or bought', () =>
  withWarehouse(async (warehouse, load) => {
    await load(
      ...[cart('left', 'add_to_cart', HOUR, 300), look('left', HOUR + 10)],
      ...[cart('told', 'add_to_cart', HOUR, 400), cart('told', 'cart_abandonment', HOUR + 10, 450)],
      ...[cart('emptied', 'add_to_cart', HOUR), cart('emptied', 'remove_from_cart', HOUR + 10, 0)],
      ...[cart('out', 'add_to_cart', HOUR), cart('out', 'checkout', HOUR + 10)],
      ...[cart('sold', 'add_to_cart', HOUR), bought(1, 'sold', HOUR + 10)],
      ...[cart('tie', 'add_to_cart', HOUR + 10), bought(2, 'tie', HOUR + 10, { status: 'failed' })],
      ...[bought(3, 'again', HOUR), cart('again', 'add_to_cart', HOUR + 10, 70)],
    );
    const left = async (from: number, to: number) => {
      const [start, end] = [from, to].map((ms) => HOUR + 10 + ABANDONED_AFTER_MS + ms);
      const { money } = await warehouse.people(start!, end!);
      return money.map(({ currency, abandoned, abandonedMinor }) => [currency, abandoned, abandonedMinor]);
    };
    assert.deepEqual(await left(0, 1), [['USD', 3, 300 + 450 + 70]]);
    assert.deepEqual(await left(-10, 0), []);
    assert.deepEqual(await left(1, 100), []);
    await load(look('left', HOUR + 60));
    assert.deepEqual(await left(0, 1), [['USD', 2, 450 + 70]]);
    assert.deepEqual(await left(50, 51), [['USD', 1, 300]]);
  }));

test('the cart is as its last event left it: of equal times the later in the log, of late ones the newest', () =>
  withWarehouse(async (warehouse, load) => {
    const at = (source_position: string) => ({ source_position });
    await load(cart('a', 'remove_from_cart', HOUR, 5, at('2')), cart('a', 'add_to_cart', HOUR, 9, at('1')));
    const held = async () => (await warehouse.people(HOUR, HOUR + MINUTE_MS)).money[0]?.cartMinor;
    assert.equal(await held(), 5);
    await load(cart('a', 'add_to_cart', HOUR, 6, at('3')));
    assert.equal(await held(), 6);
    await load(cart('a', 'add_to_cart', HOUR - 1, 90, at('4')));
    assert.equal(await held(), 6);
  }));

test('buyers once each; new are those who never completed a sale before, of this merchant where one is asked for', () =>
  withWarehouse(async (warehouse, load) => {
    const by = (id: number, buyer_id: number, at: number, change: Partial<TransactionEvent> = {}) =>
      bought(id, `s${id}`, HOUR + at, { buyer_id, ...change });
    await load(by(1, 1, 10), by(2, 1, 20), by(3, 2, 20), by(4, 2, 30, { customer_id: 8 }));
    await load(
      by(5, 3, 5, { status: 'failed' }),
      by(6, 3, 20),
      by(7, 4, 30, { customer_id: 8 }),
      by(8, 4, 29),
    );
    const of = async (from: number, to: number, merchant?: number) => {
      const { buyers, newBuyers } = await warehouse.people(HOUR + from, HOUR + to, merchant);
      return [buyers, newBuyers];
    };
    assert.deepEqual(await of(10, 31), [4, 4]);
    assert.deepEqual(await of(11, 30), [4, 3]);
    assert.deepEqual(await of(20, 21), [3, 2]);
    assert.deepEqual(await of(30, 31), [2, 0]);
    assert.deepEqual(await of(30, 31, 8), [2, 2]);
    assert.deepEqual(await of(0, 31, 9), [0, 0]);
    // Late: the sale before is loaded after it.
    await load(by(9, 3, 8));
    assert.deepEqual(await of(20, 21), [3, 1]);
  }));

test('one merchant has its own sessions, carts and views; products by views, ties by id', () =>
  withWarehouse(async (warehouse, load) => {
    const other = { customer_id: 8 };
    const views = [12, 5, 12, 9, 5].map((product_id, n) => look(`v${n}`, HOUR + n, { product_id }));
    await load(
      ...views,
      look('n', HOUR, { product_id: null }),
      look('p', HOUR, { interaction_type: 'website_visit' }),
    );
    await load(look('o', HOUR, { ...other, product_id: 9 }), cart('o', 'add_to_cart', HOUR + 1, 60, other));
    await load(look('u', HOUR, { op: 'updated', product_id: 9 }));
    assert.deepEqual(await warehouse.productViews(HOUR, HOUR + MINUTE_MS, 3), [
      { productId: 5, views: 2 },
      { productId: 9, views: 2 },
      { productId: 12, views: 2 },
    ]);
    assert.deepEqual(await warehouse.productViews(HOUR + 1, HOUR + 4, 1), [{ productId: 5, views: 1 }]);
    assert.deepEqual(await warehouse.productViews(HOUR, HOUR + 1, 9, 8), [{ productId: 9, views: 1 }]);
    const { sessions, viewed, carted, money } = await warehouse.people(HOUR, HOUR + MINUTE_MS, 8);
    assert.deepEqual([sessions, viewed, carted, money[0]?.cartMinor], [1, 1, 1, 60]);
    assert.equal((await warehouse.people(HOUR, HOUR + MINUTE_MS)).viewed, 6);
  }));

/** A session's figures from its events, without SQL. */
function counted(events: readonly ShopEvent[], from: number, to: number) {
  const sums = { sessions: 0, viewed: 0, carted: 0, checkedOutOfCarted: 0, bought: 0, abandoned: 0, left: 0 };
  for (const all of Map.groupBy(events, (event) => event.session_id).values()) {
    const times = all.map((event) => event.event_time);
    const last = Math.max(...times);
    const done = (test: (event: ShopEvent) => boolean) => all.some((one) => one.event_time < to && test(one));
    const carts = all.filter((one): one is CartEvent => 'cart_total_minor' in one);
    const held = carts.sort((a, b) => a.event_time - b.event_time).at(-1);
    const orders = all.filter((one) => one.event_type === 'transaction').map((one) => one.event_time);
    if (last >= from && Math.min(...times) < to) {
      sums.sessions += 1;
      sums.viewed += Number(done((one) => one.event_type === 'user_behavior'));
      const hasCart = done((one) => one.event_type === 'add_to_cart');
      sums.carted += Number(hasCart);
      sums.checkedOutOfCarted += Number(hasCart && done((one) => one.event_type === 'checkout'));
      sums.bought += Number(done((one) => one.event_type === 'transaction' && one.status === 'completed'));
    }
    const isOpen = held !== undefined && held.event_type !== 'checkout' && held.cart_total_minor > 0;
    const [silentFrom, silentTo] = [from - ABANDONED_AFTER_MS, to - ABANDONED_AFTER_MS];
    if (!isOpen || Math.max(...orders, 0) >= held.event_time || last < silentFrom || last >= silentTo)
      continue;
    sums.abandoned += 1;
    sums.left += held.cart_total_minor;
  }
  return sums;
}

/** What people do, by session, within two hours: no two at the same time, whose order would be that of the load. */
function anything(count: number): readonly ShopEvent[] {
  const random = seededRandom('people');
  return Array.from({ length: count }, (_, n): ShopEvent => {
    const session = `s${random.int(0, 60)}`;
    const at = HOUR + random.int(0, 120) * MINUTE_MS + n;
    const kind = random.int(0, 9);
    if (kind < 3) return look(session, at);
    if (kind > 7) return bought(n, session, at, { status: random.pick(['completed', 'failed', 'pending']) });
    return cart(session, random.pick(CART_EVENT_TYPES), at, random.int(0, 3) * 100);
  });
}

test('whatever happens, in whatever order it is loaded, the figures are those of the events', () =>
  withWarehouse(async (warehouse, load) => {
    const random = seededRandom('batches');
    const events = anything(600);
    const left = [...events].sort((a, b) => a.event_id.localeCompare(b.event_id));
    while (left.length > 0) await load(...left.splice(0, random.int(1, 90)));
    for (const [from, to] of [
      [0, 200],
      [0, 30],
      [30, 60],
      [59, 60],
      [100, 150],
      [150, 400],
    ] as const) {
      const [start, end] = [HOUR + from * MINUTE_MS, HOUR + to * MINUTE_MS];
      const {
        sessions,
        viewed,
        carted,
        checkedOutOfCarted,
        bought: sold,
        money,
      } = await warehouse.people(start, end);
      const { abandoned = 0, abandonedMinor = 0 } = money[0] ?? {};
      const found = {
        sessions,
        viewed,
        carted,
        checkedOutOfCarted,
        bought: sold,
        abandoned,
        left: abandonedMinor,
      };
      assert.deepEqual(found, counted(events, start, end), `${from} to ${to}`);
    }
  }));

/** As 002-rollups.sql makes it. */
const SESSIONS_BEFORE = `session_id text PRIMARY KEY, customer_id bigint, session_data jsonb NOT NULL,
  outcome text NOT NULL, "timestamp" timestamptz NOT NULL`;

test('a warehouse of before is brought up to date: its sessions and buyers are as if loaded now', () =>
  withWarehouse(async (warehouse, load, url) => {
    const amended = { op: 'amended', previous_status: 'completed', previous_total_amount_minor: 60 } as const;
    await load(
      ...anything(200),
      bought(1, 'refunded', HOUR),
      refund(1, { session_id: 'refunded' }),
      bought(3, 'amended', HOUR, amended),
    );
    await load(
      cart('mixed', 'add_to_cart', HOUR),
      bought(2, 'mixed', HOUR, { currency: 'EUR', buyer_id: 9 }),
    );
    const at = (source_position: string) => ({ source_position });
    await load(
      cart('tie', 'add_to_cart', HOUR, 9, at('1')),
      cart('tie', 'remove_from_cart', HOUR, 5, at('2')),
    );
    const read = async () => [
      await postgres.sql(url, 'SELECT * FROM customer_sessions ORDER BY session_id'),
      await postgres.sql(url, 'SELECT * FROM buyers ORDER BY buyer_id, customer_id'),
    ];
    const loaded = await read();
    await postgres.sql(
      url,
      `CREATE TABLE was (LIKE customer_sessions);
       INSERT INTO was SELECT * FROM customer_sessions; DROP TABLE customer_sessions;
       CREATE TABLE customer_sessions (${SESSIONS_BEFORE});
       INSERT INTO customer_sessions SELECT session_id, customer_id, session_data, outcome, "timestamp" FROM was;
       DROP TABLE was, buyers; DROP INDEX realtime_events_completed, realtime_events_sessionless,
         realtime_events_views; DELETE FROM schema_migrations WHERE name = '003-people.sql'`,
    );
    await warehouse.migrate();
    assert.equal(loaded[0]!.length > 60 && loaded[1]!.length === 2, true);
    assert.deepEqual(await read(), loaded);
  }));
