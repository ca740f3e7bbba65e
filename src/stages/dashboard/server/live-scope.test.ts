import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LiveScope, type LiveValue, scopeQuery } from '../../../contracts/live.ts';
import { WINDOW_MS } from '../../../contracts/metrics.ts';
import { shopDetails, shopWindows } from '../testing/fake-shop.ts';
import { liveModel } from './live-model.ts';
import { DEFAULT_SCOPE, inScope, scopeOf } from './live-scope.ts';

const NOW = 1_790_000_022_000;
const START = Math.floor(NOW / WINDOW_MS) * WINDOW_MS;

test('a scope is read from its query and written as one; what cannot be counted is refused', () => {
  assert.deepEqual(scopeOf({}), DEFAULT_SCOPE);
  const scopes: LiveScope[] = [
    { period_s: 300, filter: null },
    { period_s: 3_600, filter: { by: 'merchant', of: '7' } },
    { period_s: 900, filter: { by: 'category', of: 'Casa & jardín=?' } },
    { period_s: 1_800, filter: { by: 'payment', of: 'Wire Transfer' } },
  ];
  for (const scope of scopes) {
    assert.deepEqual(scopeOf(Object.fromEntries(new URLSearchParams(scopeQuery(scope)))), scope);
  }
  const bad: [Record<string, unknown>, RegExp][] = [
    [{ period: '600' }, /300, 900/],
    [{ period: ['300', '900'] }, /300, 900/],
    [{ merchant: 'x' }, /whole number/],
    [{ category: '' }, /1 to 256/],
    [{ category: ['a', 'b'] }, /one text/],
    [{ category: 'Books', payment: 'Cash' }, /not counted by payment and category at once/],
    [{ span: '1' }, /no parameter "span"/],
  ];
  for (const [query, message] of bad) assert.match(scopeOf(query) as string, message);
});

test('the period brings everything of the shop; the one before it only the series', () => {
  const value = (metric: LiveValue['metric'], windows: number, group: LiveValue['group']) =>
    ({ metric, group, window_start: START - windows * WINDOW_MS }) as LiveValue;
  const shown = inScope({ period_s: 300, filter: { by: 'merchant', of: '7' } }, START);
  assert.equal(shown(value('behavior', 9, { interaction_type: 'search_query' })), true);
  assert.equal(shown(value('behavior', 11, { interaction_type: 'search_query' })), false);
  assert.equal(shown(value('transactions', 11, { currency: 'USD' })), false);
  assert.equal(shown(value('transactions_by_merchant', 9, { currency: 'USD', customer_id: 8 })), false);
  assert.equal(shown(value('transactions_by_merchant', 19, { currency: 'USD', customer_id: 7 })), true);
  assert.equal(shown(value('transactions_by_merchant', 21, { currency: 'USD', customer_id: 7 })), false);
});

test('a merchant’s values reach only who asked for that merchant', () => {
  const model = liveModel(() => NOW);
  model.apply({ values: [...shopWindows(NOW, 4), ...shopDetails(NOW, 4)], health: [] });
  const of = (scope: LiveScope) =>
    model.since(0, scope).values.filter(({ metric }) => metric === 'transactions_by_merchant');
  assert.equal(of(DEFAULT_SCOPE).length, 0);
  const mine = of({ period_s: 300, filter: { by: 'merchant', of: '2' } });
  assert.equal(mine.length, 4);
  assert.ok(mine.every(({ group }) => group['customer_id'] === 2));
});

test('from where on the windows are known: since the store holds them, and since anybody counts', () => {
  const model = liveModel(() => NOW);
  const known = () => model.since(0, DEFAULT_SCOPE).known_from;
  assert.equal(known(), null);
  model.apply({ values: shopWindows(NOW, 4), health: [] });
  assert.equal(known(), null);
  model.covers(START - 3_600_000);
  assert.equal(known(), START - 3 * WINDOW_MS);
  model.covers(START - WINDOW_MS);
  assert.equal(known(), START - WINDOW_MS);
});

test('a tick is found without looking at everything, whatever the number of changes', () => {
  const model = liveModel(() => NOW);
  const [value] = shopWindows(NOW, 1);
  const group = (id: number, events: number) => ({ ...value!, group: { currency: `C${id}` }, events });
  model.apply({ values: Array.from({ length: 9_000 }, (_, id) => group(id, 1)), health: [] });
  model.advance();
  const first = model.seq();
  model.apply({ values: [group(5, 2), group(6, 2), group(5, 3)], health: [] });
  model.advance();
  const changed = model.since(first, DEFAULT_SCOPE).values.map(({ group: of }) => of['currency']);
  assert.deepEqual(changed, ['C5', 'C6']);
  assert.equal(model.since(0, DEFAULT_SCOPE).values.length, 9_000);
  // Whoever stands before more changes than are remembered still gets them all.
  model.apply({ values: Array.from({ length: 9_000 }, (_, id) => group(id, 9)), health: [] });
  model.advance();
  assert.equal(model.since(first, DEFAULT_SCOPE).values.length, 9_000);
});
