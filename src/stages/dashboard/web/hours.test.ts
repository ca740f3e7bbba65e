import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveHistory } from '../../../contracts/live.ts';
import { liveHour } from '../server/history.ts';
import { shopHistory } from '../testing/fake-shop.ts';
import { HOUR_MS } from './address.ts';
import { comparedSlots, daySlots, heatOf, hourSlots, localDay, sumsOf } from './hours.ts';

const NOW = Date.parse('2026-03-11T15:20:00Z');
const TO = Math.ceil(NOW / HOUR_MS) * HOUR_MS;
const DAY_MS = 24 * HOUR_MS;

function historyOf(hours: number, to = TO, firstEventAt = to - 1_000 * HOUR_MS): LiveHistory {
  const from = to - hours * HOUR_MS;
  return {
    server_time: NOW,
    from,
    to,
    customer_id: null,
    known_from: firstEventAt,
    activity: [],
    totals: {
      events: 1,
      transactions: 1,
      behaviors: 1,
      customers: 1,
      active_days: 1,
      first_event_at: firstEventAt,
      last_event_at: NOW,
    },
    hours: shopHistory(to - 1, hours, ['USD', 'EUR']).map(liveHour),
  };
}
const usd = (history: LiveHistory) => history.hours.filter(({ currency }) => currency === 'USD');

test('an hour without a sale is zero, the running one is open, and currencies stay apart', () => {
  const history = historyOf(24);
  const slots = hourSlots({ ...history, hours: history.hours.slice(4) }, null, 'USD');
  assert.equal(slots.length, 24);
  assert.deepEqual([slots[0]?.orders, slots[1]?.revenueMinor], [0, 0]);
  assert.deepEqual(
    slots.filter(({ open }) => open).map(({ end }) => end),
    [TO],
  );
  assert.equal(
    sumsOf(history, 'USD').orders,
    usd(history).reduce((all, hour) => all + hour.completed, 0),
  );
});

test('closed hours are compared with the same hours before, unless the warehouse begins later', () => {
  const history = historyOf(24);
  const before = historyOf(24, TO - DAY_MS);
  const slots = hourSlots(history, before, 'USD');
  const closed = (of: LiveHistory) =>
    usd(of)
      .slice(0, 23)
      .reduce((all, hour) => all + hour.gross_minor, 0);
  assert.deepEqual(comparedSlots(slots)?.revenueMinor, [closed(history), closed(before)]);
  assert.equal(slots[5]?.beforeOrders, usd(before)[5]?.completed);
  const young = historyOf(24, TO - DAY_MS, TO - 30 * HOUR_MS);
  assert.equal(comparedSlots(hourSlots(history, young, 'USD')), null);
  assert.equal(comparedSlots(hourSlots(history, null, 'USD')), null);
});

test('days are the reader’s and whole: each sums to what its hours sum to, a cut one is left out', () => {
  const history = historyOf(24 * 28);
  const days = daySlots(history, 'USD');
  assert.ok(days.length >= 27 && days.length <= 28);
  assert.equal(
    days.reduce((all, { revenueMinor }) => all + revenueMinor, 0),
    sumsOf(history, 'USD', days[0]!.start).revenueMinor,
  );
  assert.ok(days.every(({ start, end }) => start === localDay(start) && end === localDay(start, 1)));
  assert.ok(days[0]!.start >= history.from);
  assert.equal(days.map(({ open }) => open).indexOf(true), days.length - 1);
});

test('the heat map is a mean of closed hours since the first event', () => {
  const history = historyOf(24 * 28);
  const heat = heatOf(history, 'USD');
  assert.deepEqual([heat.length, heat[0]?.length], [7, 24]);
  const cells = heat.flat();
  assert.equal(
    cells.reduce((all, { hours }) => all + hours, 0),
    24 * 28 - 1,
  );
  const sum = cells.reduce((all, { revenueMinor, hours }) => all + (revenueMinor ?? 0) * hours, 0);
  const closed = usd(history).slice(0, -1);
  assert.equal(
    Math.round(sum),
    closed.reduce((all, hour) => all + hour.gross_minor, 0),
  );
  const young = heatOf(historyOf(24 * 28, TO, TO - 5 * HOUR_MS), 'USD').flat();
  assert.equal(young.filter(({ revenueMinor }) => revenueMinor !== null).length, 4);
});
