// What every metrics store must do, whatever holds the values.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { MetricValue } from '../../contracts/metric-value.ts';
import type { StageHealth } from '../../contracts/stage-health.ts';
import {
  HEALTH_MAX,
  type MetricsChange,
  type MetricsStore,
  MetricsStoreEmptiedError,
} from './metrics-store.ts';

export interface Harness {
  /** Opens an instance onto the same data, empty at first; main currency USD. The suite closes it. */
  open(): Promise<MetricsStore>;
  /** How long what is written lives in this harness. */
  readonly ttlMs: number;
  /** Lets time pass. */
  pass(ms: number): Promise<void>;
}

export const START = 1_795_517_580_000;
const WINDOW_MS = 30_000;

export const sales = (window: number, events: number, change: Partial<MetricValue> = {}): MetricValue => ({
  metric: 'transactions',
  group: { currency: 'USD' },
  labels: {},
  window_start: START + window * WINDOW_MS,
  window_end: START + (window + 1) * WINDOW_MS,
  values: {
    completed_entered: events,
    completed_entered_minor: events * 1_050,
    average_minor: 1_050,
    buyers: 1,
    max_minor: 1_050,
    min_minor: 1_050,
  },
  events,
  state: 'open',
  revision: 0,
  newest_event_time: START,
  newest_committed_at: START,
  ...change,
});

export const health = (stage: string, at: number, processed = at): StageHealth => ({
  stage,
  state: 'running',
  at,
  lag: 0,
  lag_unit: 'records',
  newest_at: null,
  processed,
  errors: 0,
  dead_letters: 0,
  last_error: null,
  figures: { late: 2 },
});

/** Everything a subscription heard so far, and a wait until it is as much as expected. */
export function listen(store: MetricsStore) {
  const changes: MetricsChange[] = [];
  let heard = () => {};
  const stop = store.subscribe((change) => {
    changes.push(change);
    heard();
  });
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`heard only ${JSON.stringify(changes)}`)), 10_000);
      heard = () => {
        if (!done()) return;
        clearTimeout(late);
        resolve();
      };
      heard();
    });
  const values = () => changes.flatMap((change) => change.values);
  const healths = () => changes.flatMap((change) => change.health);
  return { stop, until, values, healths };
}

type Body = (store: MetricsStore, harness: Harness) => Promise<void>;
type Check = (what: string, body: Body, filled?: boolean) => void;

export function metricsStoreSuite(
  name: string,
  makeHarness: (cleanUp: (action: () => void) => void) => Harness,
): void {
  const check: Check = (what, body, filled = true) =>
    test(`${name}: ${what}`, async (t) => {
      const stores: MetricsStore[] = [];
      const harness = makeHarness((action) => t.after(action));
      const open = async () => {
        const store = await harness.open();
        stores.push(store);
        return store;
      };
      try {
        const first = await open();
        if (filled) await first.markFilled();
        await body(first, { ...harness, open, pass: (ms) => harness.pass(ms) });
      } finally {
        for (const store of stores) await store.close();
      }
    });
  markTests(check);
  versionTests(check);
  healthTests(check);
  seedTests(check);
  rangeTests(check);
  subscriptionTests(check);
}

const all = (store: MetricsStore) => store.range('transactions', START, START + 3_600_000);

function versionTests(check: Check): void {
  check('only a higher version takes effect, in whatever order they come', async (store) => {
    assert.equal(await store.write([sales(0, 5)]), 1);
    assert.equal(await store.write([sales(0, 5)]), 0);
    assert.equal(await store.write([sales(0, 4), sales(0, 7), sales(0, 6), sales(1, 1)]), 2);
    assert.deepEqual(await all(store), [sales(0, 7), sales(1, 1)]);
  });

  check('closed beats open at the same events, and a late event beats both', async (store) => {
    const closed = sales(0, 5, { state: 'closed' });
    const revised = sales(0, 6, { state: 'closed', revision: 1 });
    await store.write([closed]);
    assert.equal(await store.write([sales(0, 5)]), 0);
    assert.deepEqual(await all(store), [closed]);
    assert.equal(await store.write([revised]), 1);
    assert.equal(await store.write([closed]), 0);
    assert.deepEqual(await all(store), [revised]);
  });
}

function markTests(check: Check): void {
  check(
    'takes nothing before it is marked as filled, and remembers the mark',
    async (store, harness) => {
      assert.equal(await store.isFilled(), false);
      await assert.rejects(store.write([sales(0, 1)]), MetricsStoreEmptiedError);
      await assert.rejects(store.writeHealth([health('loader', 1)]), MetricsStoreEmptiedError);
      assert.deepEqual([await all(store), await store.health(), await store.keys()], [[], [], []]);
      await store.markFilled();
      await store.markFilled();
      assert.equal(await store.isFilled(), true);
      assert.equal(await store.write([sales(0, 1)]), 1);
      await store.close();
      const again = await harness.open();
      assert.equal(await again.isFilled(), true, 'over a restart');
      await again.markFilled();
      assert.equal(await again.write([sales(0, 1)]), 0, 'the mark takes nothing away');
    },
    false,
  );

  check('the mark holds although everything has expired', async (store, harness) => {
    await store.write([sales(0, 1)]);
    await harness.pass(harness.ttlMs * 1.2);
    assert.deepEqual([await all(store), await store.isFilled()], [[], true]);
    assert.equal(await store.write([sales(1, 1)]), 1);
  });
}

function healthTests(check: Check): void {
  check('the newest health of a stage is kept', async (store) => {
    await store.writeHealth([health('loader', 20), health('capture', 5)]);
    await store.writeHealth([health('loader', 10), health('capture', 6)]);
    assert.deepEqual(await store.health(), [health('capture', 6), health('loader', 20)]);
  });

  check('each process of a stage has a health of its own', async (store) => {
    const [a, b] = ['a', 'b'].map((instance) => ({ ...health('loader', 20), instance }));
    const { healths, until } = listen(store);
    await store.writeHealth([b!, a!, { ...b!, at: 19 }]);
    await store.writeHealth([{ ...a!, at: 21, state: 'stopped' }]);
    assert.deepEqual(await store.health(), [{ ...a!, at: 21, state: 'stopped' }, b]);
    await until(() => healths().length >= 3);
    assert.deepEqual(healths().slice(0, 2), [b, a]);
  });

  check('of too many processes the longest silent are forgotten', async (store) => {
    const said = (at: number) => ({ ...health('loader', at), instance: `i${at}` });
    const ages = Array.from({ length: HEALTH_MAX + 5 }, (_, age) => age + 1);
    await store.writeHealth(ages.slice(0, HEALTH_MAX).map(said).reverse());
    await store.writeHealth(ages.slice(HEALTH_MAX).map(said));
    const kept = (await store.health()).map(({ at }) => at).toSorted((a, b) => a - b);
    assert.deepEqual(kept, ages.slice(5));
  });
}

function seedTests(check: Check): void {
  check('has the keys of the original, of the newest window that holds anything', async (store) => {
    const behavior = sales(1, 3, {
      metric: 'behavior',
      group: { interaction_type: 'website_visit' },
      values: { count: 3 },
    });
    const category = sales(1, 2, {
      metric: 'products_by_category',
      group: { currency: 'USD', category: 'Books' },
      values: { sales: 2, gross_minor: 2_500, average_minor: 1_250, quantity: 3, buyers: 2, products: 1 },
    });
    await store.write([sales(1, 2), behavior, category]);
    assert.deepEqual(await store.keys(), [
      'metrics:behavior:website_visit',
      'metrics:products:Books',
      'metrics:transactions',
    ]);
    assert.deepEqual(JSON.parse((await store.get('metrics:transactions'))!), {
      timestamp: new Date(START + 2 * WINDOW_MS).toISOString(),
      transaction_count: 2,
      total_revenue: 21,
      avg_transaction_value: 10.5,
      unique_customers: 1,
      max_transaction: 10.5,
      min_transaction: 10.5,
    });
    assert.equal(JSON.parse((await store.get('metrics:products:Books'))!).category_revenue, 25);
    assert.equal(await store.get('metrics:products:Toys'), null);
  });

  check(
    'an older window, an empty one, or another currency never replaces a newer one there',
    async (store) => {
      const count = async () => JSON.parse((await store.get('metrics:transactions'))!).transaction_count;
      await store.write([sales(3, 2)]);
      await store.write([sales(2, 9), sales(1, 50, { state: 'closed' })]);
      assert.equal(await count(), 2);
      await store.write([sales(4, 7, { values: { completed_entered: 0 } })]);
      await store.write([sales(5, 8, { group: { currency: 'EUR' } })]);
      assert.equal(await count(), 2);
      await store.write([sales(3, 4), sales(3, 3)]);
      assert.equal(await count(), 4);
      await store.write([sales(6, 1)]);
      assert.equal(await count(), 1);
    },
  );

  check(
    'everything goes when its time has come, and an old version may then come again',
    async (store, harness) => {
      await store.write([sales(0, 5), sales(1, 5)]);
      await harness.pass(harness.ttlMs * 0.6);
      await store.write([sales(1, 6), sales(0, 4)]);
      await harness.pass(harness.ttlMs * 0.6);
      assert.deepEqual(await all(store), [sales(1, 6)]);
      assert.notEqual(await store.get('metrics:transactions'), null);
      await harness.pass(harness.ttlMs * 0.6);
      assert.deepEqual(await all(store), []);
      assert.deepEqual([await store.get('metrics:transactions'), await store.keys()], [null, []]);
      assert.equal(await store.write([sales(0, 1)]), 1);
      assert.deepEqual(await all(store), [sales(0, 1)]);
      assert.equal(JSON.parse((await store.get('metrics:transactions'))!).transaction_count, 1);
    },
  );
}

function rangeTests(check: Check): void {
  check('a range is by window start, the end excluded, and by metric', async (store) => {
    const euro = sales(1, 3, { group: { currency: 'EUR' } });
    const other = sales(1, 1, {
      metric: 'transactions_by_payment',
      group: { currency: 'USD', payment_method: 'x' },
    });
    await store.write([sales(2, 1), sales(1, 1), euro, sales(0, 1), sales(3, 1), other]);
    const found = await store.range('transactions', START + WINDOW_MS, START + 3 * WINDOW_MS);
    assert.deepEqual(found, [euro, sales(1, 1), sales(2, 1)]);
    assert.deepEqual(await store.range('nothing', 0, START * 2), []);
  });

  check('keeps everything over a restart', async (store, harness) => {
    await store.write([sales(0, 5)]);
    await store.writeHealth([health('loader', 20)]);
    await store.close();
    const again = await harness.open();
    assert.deepEqual(await all(again), [sales(0, 5)]);
    assert.deepEqual(await again.health(), [health('loader', 20)]);
    assert.notEqual(await again.get('metrics:transactions'), null);
    assert.equal(await again.write([sales(0, 5)]), 0);
  });
}

function subscriptionTests(check: Check): void {
  check('tells what takes effect, from the subscription on and until it ends', async (store) => {
    await store.write([sales(0, 1)]);
    const { values, healths, until, stop } = listen(store);
    await store.write([sales(0, 1), sales(0, 2), sales(1, 1)]);
    await store.write([sales(0, 3)]);
    await store.writeHealth([health('loader', 20)]);
    await store.writeHealth([health('loader', 19)]);
    await until(() => healths().length === 1 && values().length === 3);
    assert.deepEqual(values(), [sales(0, 2), sales(1, 1), sales(0, 3)]);
    assert.deepEqual(healths(), [health('loader', 20)]);
    stop();
    await store.write([sales(9, 9)]);
    assert.equal(values().length, 3);
  });

  check('two instances see each other, and each listener hears what both write', async (one, harness) => {
    const two = await harness.open();
    const [atOne, atTwo] = [listen(one), listen(two)];
    // What opening caused is over then: only the writes wake the listeners.
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (let events = 1; events <= 20; events++) {
      await one.write([sales(0, events)]);
      await two.write([sales(1, events)]);
      await two.writeHealth([health('loader', events)]);
    }
    for (const { values, healths, until } of [atOne, atTwo]) {
      const newest = (window: number) =>
        values().filter((value) => value.window_start === sales(window, 0).window_start);
      await until(
        () => [0, 1].every((window) => newest(window).at(-1)?.events === 20) && healths().at(-1)?.at === 20,
      );
      for (const window of [0, 1]) {
        const events = newest(window).map((value) => value.events);
        assert.deepEqual(
          events,
          [...new Set(events)].toSorted((a, b) => a - b),
        );
      }
    }
    assert.deepEqual(
      await one.range('transactions', START, START * 2),
      await two.range('transactions', START, START * 2),
    );
  });
}
