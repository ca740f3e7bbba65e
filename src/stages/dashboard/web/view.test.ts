import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveSnapshot, LiveStage } from '../../../contracts/live.ts';
import { LIVE_WINDOW_MS, type LiveScope } from '../../../contracts/live.ts';
import { liveValue } from '../server/live-values.ts';
import { shopDetails, shopHealth, shopWindow, shopWindows } from '../testing/fake-shop.ts';
import { fromSnapshot, valuesOf, changed as withChange } from './model.ts';
import { currenciesOf, eventNow, isBehind, viewOf } from './view.ts';

const START = Math.floor(1_790_000_000_000 / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
const NOW = START + 12_000;

const SCOPE: LiveScope = { period_s: 600, filter: null };
const PERIOD_MS = 600_000;

function snapshotOf(
  values = shopWindows(NOW, 20),
  stages: LiveStage[] = [],
  at = NOW,
  scope = SCOPE,
): LiveSnapshot {
  const newest = values.length === 0 ? null : Math.max(...values.map((value) => value.newest_event_time));
  return {
    version: '1',
    profile: 'embedded',
    main_currency: 'USD',
    scope,
    server_time: at,
    newest_event_time: newest,
    newest_committed_at: newest,
    known_from: values.length === 0 ? null : Math.min(...values.map((value) => value.window_start)),
    values: values.flatMap((value) => liveValue(value) ?? []),
    stages,
  };
}

test('ten minutes are 20 windows, their sum is the sum of what came, and the newest is open', () => {
  const values = shopWindows(NOW, 20);
  const view = viewOf(fromSnapshot(snapshotOf(values)), 'USD', NOW);
  const sum = (name: string): number =>
    values
      .filter(({ metric }) => metric === 'transactions')
      .reduce((total, value) => total + (value.values[name] ?? 0), 0);
  assert.equal(view.windows.length, 20);
  assert.equal(view.revenueMinor, sum('completed_entered_minor'));
  assert.equal(view.netMinor, sum('completed_entered_minor') - sum('completed_left_minor'));
  assert.deepEqual(view.statuses?.failed, {
    count: sum('failed_entered'),
    minor: sum('failed_entered_minor'),
  });
  assert.equal(
    view.windows.reduce((total, window) => total + window.sales, 0),
    view.sales,
  );
  assert.deepEqual([view.newest?.start, view.newest?.open], [START, true]);
  assert.equal(view.lastClosed?.start, START - LIVE_WINDOW_MS);
  const shares = view.categories.map(({ value }) => value);
  assert.deepEqual(
    shares,
    shares.toSorted((a, b) => b - a),
  );
});

test('different currencies are never added, and the main one comes first', () => {
  const values = shopWindows(NOW, 20, 7, ['EUR', 'USD']);
  const model = fromSnapshot(snapshotOf(values));
  assert.deepEqual(currenciesOf(model), ['USD', 'EUR']);
  const eur = viewOf(model, 'EUR', NOW);
  const usd = viewOf(model, 'USD', NOW);
  assert.notEqual(eur.revenueMinor, usd.revenueMinor);
  assert.equal(
    eur.revenueMinor,
    viewOf(fromSnapshot(snapshotOf(shopWindows(NOW, 20, 7, ['EUR']))), 'EUR', NOW).revenueMinor,
  );
});

test('a change replaces the windows it names, whole, and old windows go', () => {
  const model = fromSnapshot(snapshotOf());
  const next = START + LIVE_WINDOW_MS;
  const values = [...shopWindow(START, next + 1_000), ...shopWindow(next, next + 1_000)].map(
    (v) => liveValue(v)!,
  );
  const times = {
    server_time: next + 1_000,
    newest_event_time: next,
    newest_committed_at: next,
    known_from: START,
  };
  const changed = withChange(model, { ...times, values, stages: [] });
  const before = viewOf(model, 'USD', NOW);
  const after = viewOf(changed, 'USD', next + 1_000);
  assert.ok(after.windows[18]!.sales > before.windows[19]!.sales);
  assert.equal(after.windows[17]!.sales, before.windows[18]!.sales);
  const far = liveValue(shopWindow(START + 2 * PERIOD_MS + 2 * LIVE_WINDOW_MS, START + 4 * PERIOD_MS)[0]!)!;
  const left = withChange(changed, { ...times, values: [far], stages: [] });
  assert.equal([...valuesOf(left, far.metric)].length, 1);
  assert.equal([...valuesOf(model, 'transactions')].length, 20);
});

test('time passes without events: a quiet shop’s windows are real zeros', () => {
  const model = fromSnapshot(snapshotOf());
  const view = viewOf(model, 'USD', NOW + 5 * LIVE_WINDOW_MS);
  assert.deepEqual(
    view.windows.slice(-4).map(({ sales }) => sales),
    [0, 0, 0, 0],
  );
  assert.equal(viewOf(model, 'USD', NOW + PERIOD_MS + LIVE_WINDOW_MS).hasSales, false);
});

test('while events wait, or the shop’s clock is simulated, the newest event says what time it is', () => {
  const later = NOW + 60_000;
  const lagging = shopHealth(later).map((stage) => ({ ...stage, lag: stage.stage === 'metrics' ? 900 : 0 }));
  const behind = fromSnapshot(snapshotOf(undefined, lagging, later));
  assert.equal(isBehind(behind), true);
  assert.equal(eventNow(behind, later), behind.newestEventTime);
  const idle = fromSnapshot(
    snapshotOf(
      undefined,
      lagging.map((stage) => ({ ...stage, lag: 0 })),
      later,
    ),
  );
  assert.equal(isBehind(idle), false);
  assert.equal(eventNow(idle, later), later);
  const simulated = { ...idle, newestCommittedAt: idle.newestEventTime! + 3_600_000 };
  assert.equal(eventNow(simulated, later), idle.newestEventTime);
});

test('an empty shop has nothing to show, and says so', () => {
  const view = viewOf(fromSnapshot(snapshotOf([])), 'USD', NOW);
  assert.equal(view.hasSales, false);
  assert.equal(view.windows.length, 20);
  assert.deepEqual(view.categories, []);
});

const filtered = (filter: LiveScope['filter'], windows = 40) => {
  const values = [...shopWindows(NOW, windows), ...shopDetails(NOW, windows)];
  const model = fromSnapshot(snapshotOf(values, [], NOW, { period_s: 600, filter }));
  return { view: viewOf(model, 'USD', NOW), values };
};

test('closed windows are compared with the same windows one period earlier, and only where those are known', () => {
  const { view, values } = filtered(null);
  const revenue = new Map(
    values
      .filter(({ metric }) => metric === 'transactions')
      .map((value) => [value.window_start, value.values['completed_entered_minor'] ?? 0]),
  );
  const closed = view.windows.filter(({ open }) => !open);
  assert.ok(closed.length >= 18 && closed.length < 20);
  const sum = (back: number) => closed.reduce((all, { start }) => all + revenue.get(start - back)!, 0);
  assert.deepEqual(view.compared?.revenueMinor, [sum(0), sum(PERIOD_MS)]);
  assert.equal(view.windows[0]?.beforeMinor, revenue.get(view.windows[0]!.start - PERIOD_MS));
  const { view: young } = filtered(null, 39);
  assert.equal(young.compared, null);
  assert.deepEqual([young.windows[0]?.beforeMinor, young.windows[1]?.beforeMinor === null], [null, false]);
});

test('a filter makes the series of its own metric; what is not counted by it stays the whole shop’s', () => {
  const { view: all, values } = filtered(null);
  const sum = (metric: string, name: string, of: string) =>
    values
      .filter((value) => value.metric === metric && Object.values(value.group).map(String).includes(of))
      .filter(({ window_start }) => window_start > START - PERIOD_MS)
      .reduce((total, value) => total + (value.values[name] ?? 0), 0);
  const merchant = filtered({ by: 'merchant', of: '2' }).view;
  assert.equal(merchant.revenueMinor, sum('transactions_by_merchant', 'completed_entered_minor', '2'));
  assert.deepEqual(merchant.categories, all.categories);
  const payment = filtered({ by: 'payment', of: 'PayPal' }).view;
  assert.equal(payment.revenueMinor, sum('transactions_by_payment', 'completed_entered_minor', 'PayPal'));
  assert.equal(payment.revenueMinor, payment.payments.find(({ name }) => name === 'PayPal')?.value);
  const category = filtered({ by: 'category', of: 'Books' }).view;
  assert.equal(category.revenueMinor, sum('products_by_category', 'gross_minor', 'Books'));
  assert.equal(category.statuses, null);
  assert.equal(filtered({ by: 'merchant', of: '99' }).view.revenueMinor, 0);
});

test('carts, visits and the event rate are counts of events', () => {
  const { view, values } = filtered(null);
  const period = values.filter(({ window_start }) => window_start > START - PERIOD_MS);
  const carts = period.filter(
    ({ metric, group }) => metric === 'carts' && group['event_type'] === 'checkout',
  );
  const count = carts.reduce((all, value) => all + value.values['count']!, 0);
  assert.deepEqual(view.carts.get('checkout'), { count, minor: count * 7_300 });
  const closed = period.filter(({ window_start }) => window_start === view.lastClosed?.start);
  const events = closed.reduce(
    (all, { metric, values: of }) =>
      all + (metric === 'behavior' ? of['count']! : metric === 'transactions' ? of['placed']! : 0),
    0,
  );
  assert.equal(view.events, events);
  assert.ok(view.visits > 0);
});
