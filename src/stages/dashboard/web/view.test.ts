import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveSnapshot, LiveStage } from '../../../contracts/live.ts';
import { LIVE_SPAN_MS, LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { liveValue } from '../server/live-model.ts';
import { shopHealth, shopWindow, shopWindows } from '../testing/fake-shop.ts';
import { fromSnapshot, withChange } from './model.ts';
import { currenciesOf, eventNow, isBehind, viewOf } from './view.ts';

const START = Math.floor(1_790_000_000_000 / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
const NOW = START + 12_000;

function snapshotOf(values = shopWindows(NOW, 20), stages: LiveStage[] = [], at = NOW): LiveSnapshot {
  const newest = values.length === 0 ? null : Math.max(...values.map((value) => value.newest_event_time));
  return {
    version: '1',
    profile: 'embedded',
    main_currency: 'USD',
    server_time: at,
    newest_event_time: newest,
    newest_committed_at: newest,
    values: values.map((value) => liveValue(value)!),
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
  assert.deepEqual(view.failed, { count: sum('failed_entered'), minor: sum('failed_entered_minor') });
  assert.equal(
    view.windows.reduce((total, window) => total + window.sales, 0),
    view.sales,
  );
  assert.deepEqual([view.newest?.start, view.newest?.open], [START, true]);
  assert.equal(view.lastClosed?.start, START - LIVE_WINDOW_MS);
  const shares = view.categoryRevenue.map(({ value }) => value);
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
  const times = { server_time: next + 1_000, newest_event_time: next, newest_committed_at: next };
  const changed = withChange(model, { ...times, values, stages: [] });
  const before = viewOf(model, 'USD', NOW);
  const after = viewOf(changed, 'USD', next + 1_000);
  assert.ok(after.windows[18]!.sales > before.windows[19]!.sales);
  assert.equal(after.windows[17]!.sales, before.windows[18]!.sales);
  const far = liveValue(shopWindow(START + LIVE_SPAN_MS + 2 * LIVE_WINDOW_MS, START + 2 * LIVE_SPAN_MS)[0]!)!;
  assert.equal(withChange(changed, { ...times, values: [far], stages: [] }).values.size, 1);
  assert.equal(model.values.size, snapshotOf().values.length);
});

test('time passes without events: a quiet shop’s windows are real zeros', () => {
  const model = fromSnapshot(snapshotOf());
  const view = viewOf(model, 'USD', NOW + 5 * LIVE_WINDOW_MS);
  assert.deepEqual(
    view.windows.slice(-4).map(({ sales }) => sales),
    [0, 0, 0, 0],
  );
  assert.equal(viewOf(model, 'USD', NOW + LIVE_SPAN_MS + LIVE_WINDOW_MS).hasSales, false);
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
  assert.deepEqual(view.categoryRevenue, []);
});
