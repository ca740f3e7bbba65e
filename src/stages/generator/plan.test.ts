import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newCatalogue } from '../../../test/support/memory-shop.ts';
import { seededRandom } from '../../lib/random.ts';
import type { NewInteraction } from '../../stores/shop/shop.ts';
import { busyness } from './curve.ts';
import { PROFILES } from './figures.ts';
import { openMarket } from './market.ts';
import { type Batch, planActivities } from './plan.ts';
import { cartTotal } from './sessions.ts';

const MONDAY = Date.UTC(2026, 5, 1);
const RATE = { startAt: MONDAY, salesPerSecond: 7, curve: false };
const catalogue = newCatalogue(seededRandom('shop'));
const planOf = (seed: string, options = RATE) =>
  planActivities({ random: seededRandom(seed), catalogue, ...options });

/** The first activities, taken in stretches of `stretchMs`. */
function first(count: number, seed: string, stretchMs: number): Batch {
  const plan = planOf(seed);
  const all = { sales: [], interactions: [], products: new Map() } as Batch;
  for (let until = MONDAY; all.sales.length + all.interactions.length < count; until += stretchMs) {
    const left = count - all.sales.length - all.interactions.length;
    const { sales, interactions, products } = plan.take(until, left);
    all.sales.push(...sales);
    all.interactions.push(...interactions);
    for (const [id, change] of products) (all.products as Map<number, unknown>).set(id, change);
  }
  return all;
}

const many = first(40_000, 'figures', 60_000);
const share = <T>(rows: readonly T[], is: (row: T) => boolean) => rows.filter(is).length / rows.length;
const near = (actual: number, expected: number, tolerance: number, what: string) =>
  assert.ok(
    Math.abs(actual - expected) <= tolerance,
    `${what}: ${actual}, expected ${expected} ± ${tolerance}`,
  );

test('the same seed plans the same, however it is cut; another seed plans something else', () => {
  const one = first(3_000, 'a', 20);
  assert.deepEqual(first(3_000, 'a', 20), one);
  assert.deepEqual(first(3_000, 'a', 7_777), one);
  assert.notDeepEqual(first(3_000, 'b', 20), one);
});

test('the shop itself is fixed by the seed and has the size of the original', () => {
  assert.deepEqual(newCatalogue(seededRandom('shop')), catalogue);
  assert.notDeepEqual(newCatalogue(seededRandom('other')), catalogue);
  assert.deepEqual([catalogue.buyerIds.length, catalogue.products.length], [100, 200]);
  assert.equal(new Set(catalogue.products.map(({ customerId }) => customerId)).size, 50);
  assert.equal(new Set(catalogue.products.map(({ category }) => category)).size, 5);
});

test('the figures are the original ones', () => {
  const { sales, interactions } = many;
  near(sales.length / 40_000, 0.7, 0.01, 'sales');
  near(
    share(sales, ({ sale }) => sale.status === 'failed'),
    0.05,
    0.01,
    'failed',
  );
  near(
    share(sales, ({ sale }) => sale.status === 'pending'),
    0.1,
    0.01,
    'pending',
  );
  near(
    share(sales, ({ sale }) => sale.buyerId <= 15),
    0.15,
    0.02,
    'high value',
  );
  near(
    share(sales, ({ sale }) => sale.buyerId > 75),
    0.25,
    0.02,
    'bargain hunters',
  );
  near(
    share(sales, ({ sale }) => sale.paymentMethod === 'Wire Transfer'),
    0.075,
    0.01,
    'wire transfers',
  );
  const steps = interactions.filter(
    ({ cart }) => cart?.step !== 'checkout' && cart?.step !== 'cart_abandonment',
  );
  const ofType = (type: string) => share(steps, ({ interactionType }) => interactionType === type);
  near(ofType('website_visit'), 0.4, 0.02, 'page views');
  near(ofType('product_inquiry'), 0.25, 0.02, 'product views');
  near(ofType('search_query'), 0.15, 0.02, 'searches');
  near(ofType('purchase_intent'), 0.15, 0.02, 'added');
  near(ofType('cart_abandonment'), 0.05, 0.02, 'removed');
  const results = interactions.flatMap(({ search }) => (search ? [search.resultsCount] : []));
  assert.deepEqual([Math.min(...results), Math.max(...results)], [0, 50]);
  assert.deepEqual(new Set(interactions.map(({ channel }) => channel)).size, 3);
});

test('items fit their buyer and merchant, and the total is exact', () => {
  const products = new Map(catalogue.products.map((product) => [product.productId, product]));
  const sizes = PROFILES.map(() => new Set<number>());
  let discounted = 0;
  for (const { sale } of many.sales) {
    const index = sale.buyerId <= 15 ? 0 : sale.buyerId <= 75 ? 1 : 2;
    const profile = PROFILES[index]!;
    sizes[index]!.add(sale.items.length);
    assert.equal(new Set(sale.items.map(({ productId }) => productId)).size, sale.items.length);
    let total = 0;
    let listed = 0;
    for (const { productId, quantity, unitPriceMinor } of sale.items) {
      const product = products.get(productId)!;
      assert.equal(product.customerId, sale.customerId);
      assert.ok((profile.categories as readonly string[]).includes(product.category));
      assert.ok(quantity >= 1 && quantity <= profile.quantityMax && Number.isInteger(unitPriceMinor));
      total += unitPriceMinor * quantity;
      listed += product.priceMinor * quantity;
    }
    assert.equal(total, sale.totalMinor);
    // Prices move as well, but not below 95 % of 80 %.
    assert.ok(total >= listed * 0.74 * 0.65, `${total} of ${listed}`);
    if (total < listed * 0.99) discounted++;
  }
  assert.deepEqual(
    sizes.map((set) => [...set].sort()),
    [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3, 4, 5],
    ],
  );
  assert.ok(discounted > 0);
});

test('15 of 100 orders get 5 to 25 % off', () => {
  const still = planActivities({
    random: seededRandom('discount'),
    catalogue,
    ...RATE,
    salesPerSecond: 7_000,
  });
  const { sales } = still.take(MONDAY + 2_000, 20_000);
  const priceOf = new Map(catalogue.products.map(({ productId, priceMinor }) => [productId, priceMinor]));
  const off = sales.map(({ sale }) => {
    const listed = sale.items.reduce((sum, item) => sum + priceOf.get(item.productId)! * item.quantity, 0);
    return 1 - sale.totalMinor / listed;
  });
  near(
    share(off, (part) => part !== 0),
    0.15,
    0.01,
    'discounted',
  );
  const given = off.filter((part) => part !== 0);
  assert.ok(Math.min(...given) > 0.045 && Math.max(...given) < 0.255);
});

test('pending sales complete or fail within 30 s, some completed ones are refunded, in order of time', () => {
  const settled = many.sales.filter(({ sale }) => sale.status === 'pending');
  assert.ok(
    settled.every(
      ({ sale, followUps: [first] }) => first!.at - sale.at >= 5_000 && first!.at - sale.at <= 30_000,
    ),
  );
  near(
    share(settled, ({ followUps: [first] }) => first!.to === 'completed'),
    0.85,
    0.03,
    'completing',
  );
  const completed = many.sales.filter(({ sale }) => sale.status === 'completed');
  near(
    share(completed, ({ followUps: [first] }) => first?.to === 'refunded'),
    0.02,
    0.005,
    'refunded',
  );
  assert.ok(many.sales.some(({ followUps }) => followUps.length === 2));
  for (const { sale, followUps } of many.sales) {
    let [status, at] = [sale.status, sale.at];
    for (const change of followUps) {
      assert.equal(change.from, status);
      assert.ok(change.at > at);
      [status, at] = [change.to, change.at];
    }
  }
});

/** Replays a session's rows and says how it ended. */
function replay(rows: readonly NewInteraction[]): 'open' | 'checkout' | 'cart_abandonment' {
  let cart = new Map<number, number>();
  let ended: 'open' | 'checkout' | 'cart_abandonment' = 'open';
  for (const row of rows) {
    assert.equal(ended, 'open', 'nothing comes after the end');
    assert.deepEqual(
      [row.buyerId, row.customerId, row.channel],
      [rows[0]!.buyerId, rows[0]!.customerId, rows[0]!.channel],
    );
    if (row.cart === null) continue;
    const { step, items, totalMinor } = row.cart;
    const before = cart;
    cart = new Map(items.map(({ productId, quantity }) => [productId, quantity]));
    assert.equal(totalMinor, cartTotal(items));
    if (step === 'add_to_cart') {
      assert.equal(cart.size, before.size + 1);
      assert.ok(cart.has(row.productId!) && !before.has(row.productId!));
    } else if (step === 'remove_from_cart') {
      assert.equal(cart.size, before.size - 1);
      assert.ok(before.has(row.productId!) && !cart.has(row.productId!));
    } else {
      assert.deepEqual(cart, before);
      assert.ok(cart.size > 0);
      ended = step;
    }
  }
  return ended;
}

test('sessions hang together: what is checked out was added before, and is what is sold', () => {
  const bySession = Map.groupBy(many.interactions, ({ sessionId }) => sessionId);
  const saleOf = new Map(many.sales.map(({ sale }) => [sale.sessionId, sale]));
  assert.equal(saleOf.size, many.sales.length, 'a session buys once');
  const ends = { open: 0, checkout: 0, cart_abandonment: 0 };
  for (const [sessionId, rows] of bySession) {
    const end = replay(rows);
    ends[end]++;
    const sale = saleOf.get(sessionId);
    if (end !== 'checkout') assert.equal(sale, undefined);
    if (sale === undefined) continue;
    const last = rows.at(-1)!;
    assert.ok(sale.at >= last.at);
    assert.deepEqual([sale.buyerId, sale.customerId], [last.buyerId, last.customerId]);
    assert.deepEqual(
      sale.items.map(({ productId, quantity }) => [productId, quantity]),
      last.cart!.items.map(({ productId, quantity }) => [productId, quantity]),
    );
  }
  // .20 x .15 + .35 x .45 + .25 x .25 + .20 x .05 of the sessions buy.
  near(ends.checkout / bySession.size, 0.26, 0.03, 'conversion');
  assert.ok(ends.cart_abandonment > 100);
});

test('prices and names change now and then, within the volatility of the category', () => {
  assert.ok(many.products.size > 100);
  const market = openMarket(catalogue);
  const random = seededRandom('changes');
  const usual = new Map(catalogue.products.map((product) => [product.productId, product]));
  const limit = { Electronics: 0.05, Clothing: 0.15, Books: 0.02, Home: 0.08, Toys: 0.2 } as Record<
    string,
    number
  >;
  let renamed = 0;
  for (let i = 0; i < 2_000; i++) {
    const { productId, priceMinor, name } = market.change(random);
    const before = usual.get(productId)!;
    assert.ok(Math.abs(priceMinor / before.priceMinor - 1) <= limit[before.category]! + 0.01);
    if (name !== before.name) renamed++;
  }
  assert.ok(renamed > 100);
});

test('a shop with nobody in it is told, not run', () => {
  assert.throws(() => openMarket({ ...catalogue, buyerIds: [] }), { name: 'UserError' });
  assert.throws(() => openMarket({ ...catalogue, products: [] }), { name: 'UserError' });
});

test('a shop of other categories sells what it has', () => {
  const foreign = catalogue.products.map((product) => ({ ...product, category: 'Garden' }));
  const plan = planActivities({
    random: seededRandom('x'),
    catalogue: { ...catalogue, products: foreign },
    ...RATE,
  });
  assert.ok(plan.take(MONDAY + 60_000, 1_000).sales.length > 200);
});

test('without the curve the rate is constant; with it, it follows hour and weekday', () => {
  const salesIn = (curve: boolean, from: number, hours: number) => {
    const plan = planOf('rate', { startAt: from, salesPerSecond: 0.5, curve });
    return plan.take(from + hours * 3_600_000, 1_000_000).sales.length;
  };
  const hour = (n: number) => MONDAY + n * 3_600_000;
  near(salesIn(false, hour(3), 1) / 1_800, 1, 0.05, 'night without curve');
  near(salesIn(false, hour(21), 1) / 1_800, 1, 0.05, 'evening without curve');
  assert.ok(salesIn(true, hour(21), 1) > 8 * salesIn(true, hour(3), 1), 'evening against night');
  const saturday = hour(5 * 24);
  near(salesIn(true, saturday, 24) / salesIn(true, MONDAY, 24), 0.3 / 0.12, 0.15, 'Saturday against Monday');
  let week = 0;
  for (let minute = 0; minute < 7 * 24 * 60; minute++) week += busyness(MONDAY + minute * 60_000);
  near(week / (7 * 24 * 60), 0.98, 0.01, 'the mean of a week in June');
});
