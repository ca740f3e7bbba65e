import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API, type LiveError } from '../../../contracts/live.ts';
import type { MetricValue } from '../../../contracts/metric-value.ts';
import { type LivePeople, PEOPLE_NOW_MS } from '../../../contracts/people.ts';
import type { Clock } from '../../../lib/clock.ts';
import { shopPeople, shopWindows } from '../testing/fake-shop.ts';
import { type FakeWarehouse, fakeWarehouse } from '../testing/fake-stores.ts';
import { serve } from '../testing/serve.ts';
import { type PeopleQuestion, peopleQuery, peopleReader, rangesOf } from './people.ts';

const NOW = Date.parse('2026-03-10T10:20:47.300Z');
const HOUR_MS = 3_600_000;

const ask = (query: Record<string, unknown>): PeopleQuestion => {
  const question = peopleQuery(query);
  assert.ok(typeof question !== 'string', String(question));
  return question;
};
const ranges = (query: Record<string, unknown>) => {
  const { period, before } = rangesOf(ask(query), NOW);
  return [period, before].map((range) => range?.map((ms) => new Date(ms).toISOString().slice(5, 23)));
};

test('a live period is its windows up to now, and as much of the one before', () => {
  assert.deepEqual(ranges({ period: '300' }), [
    ['03-10T10:16:00.000', '03-10T10:20:47.300'],
    ['03-10T10:11:00.000', '03-10T10:15:47.300'],
  ]);
  assert.deepEqual(ranges({ period: '300', compare: 'weekday' }), ranges({ period: '300' }));
  assert.deepEqual(ranges({ period: '3600', compare: 'none' })[1], undefined);
  const full = rangesOf(ask({ period: '900' }), Date.parse('2026-03-10T10:20:00Z')).period;
  assert.deepEqual(full, [Date.parse('2026-03-10T10:05:30Z'), Date.parse('2026-03-10T10:20:00Z')]);
});

test('whole hours end now where the last one is running, and are compared with as much', () => {
  assert.deepEqual(ranges({ hours: '24' }), [
    ['03-09T11:00:00.000', '03-10T10:20:47.300'],
    ['03-08T11:00:00.000', '03-09T10:20:47.300'],
  ]);
  const until = String(Date.parse('2026-03-08T00:00Z'));
  assert.deepEqual(ranges({ hours: '2', until, compare: 'weekday' }), [
    ['03-07T22:00:00.000', '03-08T00:00:00.000'],
    ['02-28T22:00:00.000', '03-01T00:00:00.000'],
  ]);
  assert.deepEqual(ranges({ hours: '169', until, compare: 'weekday' })[1]?.[1], '02-22T00:00:00.000');
  const later = String(NOW + 30 * HOUR_MS);
  assert.deepEqual(ranges({ hours: '2', until: later })[0], ['03-11T15:00:00.000', '03-11T15:00:00.000']);
});

function reading(change: Partial<FakeWarehouse> = {}) {
  const warehouse = { ...fakeWarehouse(), ...change };
  let nowMs = NOW;
  const clock: Clock = { now: () => nowMs, sleep: async () => {} };
  const read = peopleReader({ warehouse, clock, shopNow: () => nowMs });
  return {
    warehouse,
    read,
    pass(ms: number) {
      nowMs += ms;
    },
  };
}

test('however many ask, the warehouse is asked once, and again when the answer is some seconds old', async () => {
  const { warehouse, read, pass } = reading();
  const question = ask({ period: '900', customer_id: '7' });
  const answers = await Promise.all(Array.from({ length: 50 }, () => read(question)));
  assert.equal(new Set(answers).size, 1);
  assert.deepEqual(
    warehouse.askedPeople.map(({ fromMs, toMs, customerId }) => [NOW - fromMs, NOW - toMs, customerId]),
    [
      [PEOPLE_NOW_MS, 0, 7],
      [15 * 60_000 - 30_000 + 17_300, 0, 7],
      [30 * 60_000 - 30_000 + 17_300, 15 * 60_000, 7],
    ],
  );
  pass(4_000);
  assert.equal(await read(question), answers[0]);
  pass(1_000);
  assert.notEqual(await read(question), answers[0]);
  assert.equal(warehouse.askedPeople.length, 6);
});

test('questions wait for each other, not without end; a slow answer is kept for longer', async () => {
  let [atOnce, most] = [0, 0];
  const parts = reading({
    async people(from, to) {
      atOnce += 1;
      most = Math.max(most, atOnce);
      parts.pass(2_000);
      await new Promise((resolve) => setImmediate(resolve));
      atOnce -= 1;
      return shopPeople(from, to);
    },
  });
  const { read, pass } = parts;
  const many = Array.from({ length: 25 }, (_, n) => read(ask({ hours: String(n + 1) })));
  const settled = await Promise.allSettled(many);
  assert.equal(most, 1);
  assert.deepEqual(
    settled.map(({ status }) => status),
    [...Array(20).fill('fulfilled'), ...Array(5).fill('rejected')],
  );
  const question = ask({ hours: '200' });
  const first = await read(question);
  assert.equal(first.took_ms, 6_000);
  pass(59_000);
  assert.equal(await read(question), first);
  pass(2_000);
  assert.notEqual(await read(question), first);
});

test('the page is told of people in the period, before it, and now, by the shop’s own clock', async () => {
  await using served = await serve();
  const json = async <T>(query: string): Promise<{ status: number; body: T }> => {
    const response = await fetch(`${served.url}${API.people}?${query}`);
    return { status: response.status, body: (await response.json()) as T };
  };
  const { body } = await json<LivePeople>('hours=3&customer_id=7');
  const { period, before, now } = body;
  const expected = shopPeople(period.from, period.to, 7);
  assert.deepEqual([period.checked_out, period.new_buyers], [expected.checkedOut, expected.newBuyers]);
  assert.equal(period.money[0]?.abandoned_minor, expected.money[0]?.abandonedMinor);
  assert.equal(before?.sessions, shopPeople(before!.from, before!.to, 7).sessions);
  assert.deepEqual([now.to - now.from, body.customer_id], [PEOPLE_NOW_MS, 7]);
  assert.ok(Math.abs(now.to - Date.now()) < 5_000);
  assert.deepEqual(body.views[1], { product_id: 2, views: 227 });
  assert.equal((await json<LivePeople>('period=900&compare=none')).body.before, null);

  const simulated = shopWindows(NOW, 2).map(
    (value): MetricValue => ({ ...value, newest_committed_at: Date.now() }),
  );
  await served.store.write(simulated);
  const newest = Math.max(...simulated.map((value) => value.newest_event_time));
  assert.equal((await json<LivePeople>('period=300')).body.period.to, newest);
});

test('bad questions about people get 400 and say why; a dead warehouse 503, which does not stick', async () => {
  await using served = await serve();
  const status = async (query: string): Promise<[number, LiveError]> => {
    const response = await fetch(`${served.url}${API.people}?${query}`);
    return [response.status, (await response.json()) as LiveError];
  };
  for (const query of [
    'period=301',
    'period=300&hours=2',
    'period=300&until=1700000000000',
    'hours=745',
    'compare=yesterday',
    'customer_id=x',
    'merchant=7',
    'compare=none&compare=none',
  ]) {
    const [code, body] = await status(query);
    assert.deepEqual([code, body.error], [400, 'bad_request'], query);
  }
  assert.equal(served.warehouse.askedPeople.length, 0);
  served.warehouse.fault = new Error('connection refused');
  const [code, body] = await status('hours=1');
  assert.deepEqual([code, body.error], [503, 'warehouse_unavailable']);
  served.warehouse.fault = null;
  assert.equal((await status('hours=1'))[0], 200);
});
