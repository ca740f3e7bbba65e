import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetricValue } from '../../../contracts/metric-value.ts';
import { OTHER_GROUP, WINDOW_MS } from '../../../contracts/metrics.ts';
import { shopDetails, shopWindows } from '../testing/fake-shop.ts';
import { liveModel } from './live-model.ts';
import { liveRanking } from './live-rankings.ts';
import { DEFAULT_SCOPE } from './live-scope.ts';

const NOW = 1_790_000_022_000;
const START = Math.floor(NOW / WINDOW_MS) * WINDOW_MS;
const ALL = { period_s: 900, filter: null };

const product = (
  id: number | string,
  start: number,
  gross: number,
  quantity: number,
  events = 1,
): MetricValue => ({
  metric: 'products',
  group: { currency: id === 99 ? 'EUR' : 'USD', product_id: id },
  labels: { product_name: `P${id}`, category: id === 1 ? 'Books' : 'Toys' },
  window_start: start,
  window_end: start + WINDOW_MS,
  values: { gross_minor: gross, quantity },
  events,
  state: 'open',
  revision: 0,
  newest_event_time: start,
  newest_committed_at: start,
});
const search = (term: string | null, start: number, count: number, without: number): MetricValue => ({
  ...product(1, start, 0, 0),
  metric: 'searches',
  group: { search_query: term },
  labels: {},
  values: { count, without_result: without },
});

test('sums over the windows of the period, each window once, by revenue and by pieces', () => {
  const ranking = liveRanking();
  assert.equal(ranking.apply(product(1, START, 500, 1)), true);
  assert.equal(ranking.apply(product(1, START, 700, 2, 2)), true);
  assert.equal(ranking.apply(product(1, START, 500, 1)), false);
  ranking.apply(product(1, START - 29 * WINDOW_MS, 100, 1));
  ranking.apply(product(1, START - 30 * WINDOW_MS, 9_999, 9));
  ranking.apply(product(99, START, 100_000, 1));
  ranking.apply(product(OTHER_GROUP, START, 1, 500));
  const { products, from, to } = ranking.rankings(ALL, START);
  assert.deepEqual([from, to], [START - 29 * WINDOW_MS, START + WINDOW_MS]);
  assert.deepEqual(
    products.map(({ currency, name, gross_minor, quantity }) => [currency, name, gross_minor, quantity]),
    [
      ['USD', 'P1', 800, 3],
      ['USD', OTHER_GROUP, 1, 500],
      ['EUR', 'P99', 100_000, 1],
    ],
  );
  const books = ranking.rankings({ period_s: 900, filter: { by: 'category', of: 'Books' } }, START);
  assert.deepEqual(
    books.products.map(({ name }) => name),
    ['P1'],
  );
});

test('ten of each at most, and one that leads in pieces only is among them', () => {
  const ranking = liveRanking();
  for (let id = 1; id <= 50; id++) ranking.apply(product(id, START, 1_000 + id, 1));
  ranking.apply(product(60, START, 1, 70));
  const { products } = ranking.rankings(ALL, START);
  assert.equal(products.filter(({ quantity }) => quantity === 70).length, 1);
  assert.equal(products[0]?.name, 'P50');
  assert.ok(products.length <= 20);
});

test('searches: all count, also those that name nothing; only terms without a result are listed as such', () => {
  const ranking = liveRanking();
  assert.deepEqual(ranking.rankings(ALL, START).searches, {
    count: 0,
    without_result: 0,
    top: [],
    top_without_result: [],
  });
  ranking.apply(search('shoes', START, 5, 0));
  ranking.apply(search('unicorn', START - WINDOW_MS, 2, 2));
  ranking.apply(search(null, START, 3, 1));
  const { count, without_result, top, top_without_result } = ranking.rankings(ALL, START).searches;
  assert.deepEqual([count, without_result], [10, 3]);
  assert.deepEqual(
    top.map(({ term }) => term),
    ['shoes', 'unicorn'],
  );
  assert.deepEqual(top_without_result, [{ term: 'unicorn', count: 2, without_result: 2 }]);
});

test('an hour is held and no more; a flood of groups costs the oldest windows', () => {
  const ranking = liveRanking();
  ranking.apply(product(1, START, 1, 1));
  assert.equal(ranking.apply(product(1, START - 121 * WINDOW_MS, 1, 1)), false);
  for (let window = 1; window <= 12; window++)
    for (let id = 0; id < 10_000; id++) ranking.apply(product(id, START + window * WINDOW_MS, 1, 1));
  const { products } = ranking.rankings({ period_s: 3_600, filter: null }, START + 12 * WINDOW_MS);
  assert.equal(products[0]?.quantity, 10);
});

test('rankings travel when they were made anew, and only then', () => {
  const model = liveModel(() => NOW);
  model.apply({ values: shopWindows(NOW, 3), health: [] });
  model.advance();
  const first = model.seq();
  assert.equal(model.rerank(), false);
  model.apply({ values: shopDetails(NOW, 3), health: [] });
  model.advance();
  assert.equal(model.since(first, DEFAULT_SCOPE).rankings, undefined);
  assert.equal(model.rerank(), true);
  model.advance();
  const { rankings } = model.since(first, DEFAULT_SCOPE);
  assert.ok(rankings!.products!.length > 0);
  assert.deepEqual(rankings!.merchants[0], { customer_id: 1, name: 'Casa Luna' });
  assert.equal(model.since(model.seq(), DEFAULT_SCOPE).rankings, undefined);
  assert.deepEqual(model.since(0, DEFAULT_SCOPE).rankings, rankings);
});
