import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import type { LiveAlert } from '../../../contracts/alerts.ts';
import type { LiveHistoryHour, LiveValue } from '../../../contracts/live.ts';
import { systemClock } from '../../../lib/clock.ts';
import { UserError } from '../../../lib/errors.ts';
import { silentLog } from '../../../lib/log.ts';
import { type AlertRule, DEFAULT_RULES, readAlertRules } from './alert-rules.ts';
import { type AlertsOptions, alerts, expectedOf, explanationOf, figureOf } from './alerts.ts';
import type { Webhook } from './webhook.ts';
import { webhook } from './webhook.ts';

const HOUR_MS = 3_600_000;
/** Half past an hour. */
const NOW = Date.UTC(2026, 10, 24, 12, 30, 10);
const WINDOW_MS = 30_000;

const windowValue = (
  metric: LiveValue['metric'],
  group: LiveValue['group'],
  start: number,
  values: LiveValue['values'],
): LiveValue => ({
  metric,
  group,
  window_start: start,
  window_end: start + WINDOW_MS,
  state: 'closed',
  revision: 0,
  values,
});

/** The last two hours, `count` sales of 10 in each window. */
function windows(count: (start: number) => number, currency = 'USD'): LiveValue[] {
  const last = Math.floor((NOW - 10_000) / WINDOW_MS) * WINDOW_MS;
  return Array.from({ length: 240 }, (_, index) => last - (index + 1) * WINDOW_MS).map((start) => {
    const sales = count(start);
    return windowValue('transactions', { currency }, start, {
      completed_entered: sales,
      completed_entered_minor: sales * 1_000,
      failed_entered: 1,
    });
  });
}

const hour = (start: number, completed: number): LiveHistoryHour => ({
  hour: start,
  currency: 'USD',
  completed,
  gross_minor: completed * 1_000,
  reversals: 0,
  reversals_minor: 0,
  pending: 0,
  failed: 0,
  refunded: 0,
});
const NOON = Date.UTC(2026, 10, 24, 12);
const DAY_MS = 24 * HOUR_MS;

/** Alerts over made-up windows, and what the webhook was told. */
function judged(rules: readonly AlertRule[], options: Partial<AlertsOptions> = {}) {
  const clock = new ManualClock(NOW);
  const told: string[] = [];
  const state = { values: windows(() => 10), known_from: NOW - 2 * HOUR_MS, isUnwell: false };
  const hook: Webhook = {
    tell: (what, { rule }: LiveAlert) => told.push(`${what} ${rule}`),
    counts: () => ({ sent: told.length, failed: 0, last_error: null }),
    run: async () => {},
  };
  const one = alerts({
    rules,
    model: {
      since: () => ({
        newest_event_time: NOW,
        newest_committed_at: NOW,
        known_from: state.known_from,
        values: state.values,
        stages: [],
      }),
    },
    isUnwell: () => state.isUnwell,
    shopNow: () => clock.now(),
    hours: async () => [],
    webhook: hook,
    mainCurrency: 'USD',
    clock,
    log: silentLog,
    ...options,
  });
  return { one, state, told, clock };
}

test('a threshold begins once, follows its value, and ends', async () => {
  const rule = { name: 'Few sales', figure: 'sales', minutes: 5, below: 50 } as const;
  const { one, state, told, clock } = judged([rule]);
  await one.judge();
  assert.deepEqual(one.current().active, []);
  state.values = windows((start) => (start >= NOW - 6 * 60_000 ? 4 : 10));
  await clock.advance(WINDOW_MS);
  await one.judge();
  const [alert] = one.current().active;
  // The newest of the ten windows is one that nobody counted yet.
  assert.equal(alert!.value, 36);
  assert.equal(alert!.bound, 50);
  const { since } = alert!;
  state.values = windows((start) => (start >= NOW - 6 * 60_000 ? 3 : 10));
  await clock.advance(WINDOW_MS);
  await one.judge();
  assert.equal(one.current().active[0]!.value, 24);
  assert.equal(one.current().active[0]!.since, since);
  state.values = windows(() => 10);
  await clock.advance(WINDOW_MS);
  await one.judge();
  assert.deepEqual(one.current().active, []);
  assert.equal(one.current().recent[0]!.rule, 'Few sales');
  assert.equal(one.current().recent[0]!.since, since);
  assert.deepEqual(told, ['begins Few sales', 'ends Few sales']);
});

test('nothing is judged while the pipeline is not well, or its windows are not all known', async () => {
  const { one, state, told } = judged([{ name: 'None', figure: 'sales', minutes: 60, below: 1 }]);
  state.values = [];
  state.isUnwell = true;
  await one.judge();
  assert.equal(one.current().suspended, 'unwell');
  state.isUnwell = false;
  state.known_from = NOW - 30 * 60_000;
  await one.judge();
  assert.equal(one.current().suspended, 'unknown');
  assert.deepEqual(told, []);
  state.known_from = NOW - 2 * HOUR_MS;
  await one.judge();
  assert.equal(one.current().suspended, null);
  assert.deepEqual(told, ['begins None']);
});

test('what this hour brought on earlier days is expected; without some whole days nothing is', async () => {
  const [rule] = DEFAULT_RULES as [Extract<AlertRule, { days: number }>];
  const days = (count: number) =>
    Array.from({ length: count }, (_, day) => hour(NOON - (day + 1) * DAY_MS, 100 + day * 20));
  const first = hour(NOON - 5 * DAY_MS, 7);
  // 100, 120 and 140 an hour, and one day without a sale.
  assert.equal(expectedOf(rule, [...days(3), first], NOON, 'USD'), (360 / 4) * 0.25);
  assert.equal(expectedOf(rule, days(2), NOON, 'USD'), null, 'the first hour was not whole');
  assert.equal(expectedOf(rule, [], NOON, 'USD'), null);

  const hours = async () =>
    [...days(6), hour(NOON - 9 * DAY_MS, 7)].map((one) => ({ ...one, completed: 1_200 }));
  const { one, state, clock } = judged(DEFAULT_RULES, { hours });
  await one.judge();
  assert.deepEqual(one.current().active, [], '300 sales in 15 minutes: as expected');
  state.values = windows((start) => (start >= NOW - 16 * 60_000 ? 3 : 10));
  await clock.advance(WINDOW_MS);
  await one.judge();
  const [alert] = one.current().active;
  assert.equal(alert!.kind, 'expected');
  assert.ok(alert!.bound > 250 && alert!.bound < 300, String(alert!.bound));
  assert.equal(alert!.value, 87);
});

test('figures are of their minutes, and money of the main currency', () => {
  const values = [...windows(() => 10), ...windows(() => 5, 'EUR')];
  const range = [NOON, NOON + 5 * 60_000] as const;
  assert.equal(figureOf('sales', values, range, 'USD'), 150);
  assert.equal(figureOf('revenue', values, range, 'USD'), 1_000);
  assert.equal(figureOf('failed', values, range, 'USD'), 20);
  assert.equal(figureOf('failed_percent', values, range, 'USD'), (100 * 20) / 170);
  assert.equal(figureOf('failed_percent', [], range, 'USD'), 0);
});

test('the category that moved most the same way explains it', () => {
  const of = (category: string, before: number, after: number) => [
    windowValue('products_by_category', { currency: 'USD', category }, NOON - WINDOW_MS, {
      gross_minor: before,
    }),
    windowValue('products_by_category', { currency: 'USD', category }, NOON, { gross_minor: after }),
  ];
  const values = [...of('Books', 9_000, 1_000), ...of('Toys', 5_000, 2_000), ...of('Home', 1_000, 4_000)];
  const range = [NOON, NOON + WINDOW_MS] as const;
  assert.deepEqual(explanationOf(values, range, true, 'USD'), { category: 'Books', change: -80 });
  assert.deepEqual(explanationOf(values, range, false, 'USD'), { category: 'Home', change: 30 });
  assert.equal(explanationOf(values, range, true, 'EUR'), null);
});

test('a webhook is told again when it fails, and what it never took is counted', {
  timeout: 20_000,
}, async (t) => {
  const bodies: { event: string; text: string }[] = [];
  const answers = [500, 200];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      bodies.push(JSON.parse(body));
      response.writeHead(answers.shift() ?? 500).end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const clock = { now: () => 0, sleep: async () => {} };
  const hook = webhook(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, clock);
  const stop = new AbortController();
  const run = hook.run(stop.signal);
  const alert: LiveAlert = {
    ...{ rule: 'Few sales', figure: 'sales', minutes: 5, kind: 'below', value: 36, bound: 50 },
    ...{ at: NOW, since: NOW, until: null, explained: { category: 'Books', change: -80 } },
  };
  hook.tell('begins', alert);
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await systemClock.sleep(10);
  };
  await until(() => hook.counts().sent === 1);
  assert.equal(bodies.length, 2);
  assert.equal(bodies[1]!.text, 'Few sales: sales 36 in 5 min, below 50. Books moved most (-80 in revenue).');
  hook.tell('ends', { ...alert, until: NOW });
  await until(() => hook.counts().failed === 1);
  assert.match(hook.counts().last_error!, /500/);
  assert.equal(bodies.at(-1)!.event, 'ends');
  stop.abort();
  await run;
});

test('rules are read from a file, and a wrong one is named', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-alerts-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'alerts.json');
  const read = (rules: unknown) => {
    writeFileSync(file, typeof rules === 'string' ? rules : JSON.stringify(rules));
    return readAlertRules(file);
  };
  const good = [
    { name: 'Many failures', figure: 'failed_percent', minutes: 10, above: 15 },
    { name: 'Odd revenue', figure: 'revenue', minutes: 15, deviates_percent: 50 },
  ];
  assert.deepEqual(read(good)[1], { ...good[1], days: 7, expected_min: 20 });
  const wrong: readonly [unknown, RegExp][] = [
    ['[', /cannot be read/],
    [[good[0], { ...good[1], minutes: 90 }], /wrong at rule 2/],
    [[{ ...good[0], below: 3 }], /wrong at rule 1/],
    [[{ ...good[1], figure: 'visits' }], /wrong at rule 1/],
    [[good[0], good[0]], /one name/],
  ];
  for (const [rules, said] of wrong) {
    assert.throws(
      () => read(rules),
      (error) => error instanceof UserError && said.test(error.message),
    );
  }
});
