import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveFeed } from '../../../contracts/feed.ts';
import { API } from '../../../contracts/live.ts';
import type { LatestSale } from '../../../stores/warehouse/warehouse.ts';
import { MERCHANTS } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

const latest = (at: number, buyerId: number | null, customerName: string): LatestSale => ({
  ...{ at, customerName, buyerId, paymentMethod: 'PayPal', amountMinor: 1_999, currency: 'USD' },
});

test('the feed tells the latest sales, but not whose they are', async () => {
  await using served = await serve();
  served.warehouse.sales = [
    latest(3_000, 123_456, MERCHANTS[0]),
    latest(2_000, 7, MERCHANTS[1]),
    latest(1_000, null, MERCHANTS[0]),
  ];
  const text = await (await fetch(served.url + API.feed)).text();
  const { sales } = JSON.parse(text) as LiveFeed;
  assert.deepEqual(
    sales.map(({ at, buyer }) => [at, buyer]),
    [
      [3_000, '…56'],
      [2_000, '…07'],
      [1_000, null],
    ],
  );
  assert.ok(!text.includes('3456'), text);
  const of = async (query: string) => {
    const response = await fetch(`${served.url}${API.feed}?${query}`);
    return { status: response.status, body: (await response.json()) as LiveFeed };
  };
  assert.deepEqual(
    (await of('customer_id=2')).body.sales.map(({ merchant }) => merchant),
    [MERCHANTS[1]],
  );
  for (const query of ['customer_id=0', 'customer_id=x', 'limit=9'])
    assert.equal((await of(query)).status, 400);
  served.warehouse.fault = new Error('away');
  assert.equal((await of('customer_id=3')).status, 503);
});
