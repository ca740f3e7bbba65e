import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { createClient } from '@redis/client';
import { type TestRedis, testRedis } from '../../../test/support/redis.ts';
import { systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import { DASHBOARD_USER, PUBLISHER_USER, REDIS_ADMIN_USER } from '../../services/redis/settings.ts';
import { health, listen, metricsStoreSuite, START, sales } from './metrics-store.suite.ts';
import type { MetricsStore } from './metrics-store.ts';
import { redisMetricsStore } from './redis-metrics-store.ts';

/** Real time, by the server's clock: long enough for a busy machine, short enough to wait for. */
const TTL_MS = 3_000;

let redis: TestRedis;
before(async () => {
  redis = await testRedis();
});
const opened: MetricsStore[] = [];
after(async () => {
  for (const store of opened) await store.close();
  await redis.stop();
});

async function open(user = PUBLISHER_USER, ttlMs?: number): Promise<MetricsStore> {
  const store = await redisMetricsStore({
    url: redis.server.url(user),
    clock: systemClock,
    log: silentLog,
    mainCurrency: 'USD',
    ...(ttlMs !== undefined && { ttlMs }),
  });
  opened.push(store);
  return store;
}

async function asAdmin<T>(action: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
  const client = createClient({ url: redis.server.url(REDIS_ADMIN_USER) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await action(client as ReturnType<typeof createClient>);
  } finally {
    client.destroy();
  }
}

const flush = () => asAdmin((client) => client.flushAll());

metricsStoreSuite('redis', () => {
  let flushed: Promise<unknown> | null = null;
  return {
    async open() {
      flushed ??= flush();
      await flushed;
      return open(PUBLISHER_USER, TTL_MS);
    },
    ttlMs: TTL_MS,
    pass: (ms) => systemClock.sleep(ms),
  };
});

/** A filled store of its own for a test. */
async function filled(): Promise<MetricsStore> {
  await flush();
  const store = await open();
  await store.markFilled();
  return store;
}

test('a program written for the keys of the original reads them unchanged', async () => {
  const store = await filled();
  await store.write([
    sales(0, 2),
    sales(0, 3, { metric: 'behavior', group: { interaction_type: 'website_visit' }, values: { count: 3 } }),
    sales(0, 2, {
      metric: 'products_by_category',
      group: { currency: 'USD', category: 'Books' },
      values: { sales: 2, gross_minor: 2_500, average_minor: 1_250, quantity: 3, buyers: 2, products: 1 },
    }),
  ]);
  const number = 'number';
  const shapes = {
    'metrics:transactions': {
      timestamp: 'string',
      transaction_count: number,
      total_revenue: number,
      avg_transaction_value: number,
      unique_customers: number,
      max_transaction: number,
      min_transaction: number,
    },
    'metrics:behavior:website_visit': { timestamp: 'string', event_type: 'string', event_count: number },
    'metrics:products:Books': {
      timestamp: 'string',
      category: 'string',
      product_sales: number,
      category_revenue: number,
      avg_category_value: number,
      total_quantity: number,
      unique_customers: number,
      unique_products: number,
    },
  };
  await asAdmin(async (client) => {
    assert.deepEqual((await client.keys('metrics:*')).toSorted(), Object.keys(shapes).toSorted());
    for (const [key, shape] of Object.entries(shapes)) {
      const fields = JSON.parse((await client.get(key))!) as Record<string, unknown>;
      const found = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, typeof value]));
      assert.deepEqual(found, shape);
      assert.ok(!Number.isNaN(Date.parse(fields['timestamp'] as string)));
      const ttl = await client.ttl(key);
      assert.ok(ttl > 3_590 && ttl <= 3_600, `${key} lives for ${ttl} s`);
    }
    const { total_revenue, avg_transaction_value } = JSON.parse((await client.get('metrics:transactions'))!);
    assert.deepEqual([total_revenue, avg_transaction_value], [21, 10.5]);
  });
  await store.close();
});

test('every key of ours expires or is bounded, and the index forgets expired windows', async () => {
  await flush();
  const store = await open(PUBLISHER_USER, 1_500);
  await store.markFilled();
  await store.write([sales(0, 1), sales(1, 1)]);
  await store.writeHealth([health('loader', 1)]);
  await systemClock.sleep(1_000);
  await store.write([sales(2, 1)]);
  await systemClock.sleep(1_000);
  await store.write([sales(3, 1)]);
  await asAdmin(async (client) => {
    const starts = [2, 3].map((window) => String(START + window * 30_000));
    assert.deepEqual(await client.zRange('instashop:windows:transactions', 0, -1), starts);
    await systemClock.sleep(1_700);
    const left = (await client.keys('*')).toSorted();
    assert.deepEqual(left, ['instashop:changes', 'instashop:filled', 'instashop:health']);
  });
  await store.close();
});

test('the dashboard reads and hears, and may not write; a stranger may nothing', async () => {
  const publisher = await filled();
  const dashboard = await open(DASHBOARD_USER);
  const heard = listen(dashboard);
  await systemClock.sleep(100);
  await publisher.write([sales(0, 1)]);
  await publisher.writeHealth([health('loader', 1)]);
  await heard.until(() => heard.values().length === 1 && heard.healths().length === 1);
  assert.deepEqual(await dashboard.range('transactions', START, START + 1), [sales(0, 1)]);
  assert.deepEqual(await dashboard.keys(), ['metrics:transactions']);
  assert.equal(await dashboard.isFilled(), true);
  const refused = { name: 'UserError', message: /refuses a command/, remedy: /ACL/ };
  await assert.rejects(dashboard.write([sales(0, 2)]), refused);
  await assert.rejects(dashboard.markFilled(), refused);
  const wrong = redis.server.url(DASHBOARD_USER).replace(/secret/, 'wrong');
  const options = { clock: systemClock, log: silentLog, mainCurrency: 'USD' };
  const startedAt = systemClock.now();
  for (const url of [wrong, `redis://127.0.0.1:${redis.server.port}`]) {
    const fault = await redisMetricsStore({ ...options, url }).catch((error: unknown) => error);
    assert.ok(fault instanceof UserError && !isRetryable(fault), String(fault));
    assert.doesNotMatch(`${fault.message} ${fault.remedy}`, /secret-of|wrong-of/);
  }
  assert.ok(systemClock.now() - startedAt < 2_000);
  await Promise.all([dashboard.close(), publisher.close()]);
});

test('many values are written in pieces and read whole', async () => {
  const store = await filled();
  const heard = listen(store);
  const many = Array.from({ length: 2_500 }, (_, index) =>
    sales(index % 100, 1, { group: { currency: 'USD', customer_id: 1_000 + Math.floor(index / 100) } }),
  );
  assert.equal(await store.write(many), 2_500);
  const found = await store.range('transactions', START, START + 100 * 30_000);
  const inOrder = Array.from({ length: 100 }, (_, window) =>
    many.filter((_value, at) => at % 100 === window),
  ).flat();
  // The difference of so much would take minutes to show.
  assert.ok(isDeepStrictEqual(found, inOrder));
  await heard.until(() => heard.values().length === 2_500);
  assert.ok(isDeepStrictEqual(heard.values(), many));
  await store.close();
});

test('what a listener missed is told when it is back, also where the feed does not hold it any more', async () => {
  const store = await filled();
  await store.write([sales(0, 1)]);
  const dashboard = await open(DASHBOARD_USER);
  const { values, until, stop } = listen(dashboard);
  const events = () => values().map((value) => value.events);
  const losses: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['nothing', async () => {}],
    ['all but the newest', () => asAdmin((client) => client.xTrim('instashop:changes', 'MAXLEN', 1))],
    ['the feed', () => asAdmin((client) => client.del('instashop:changes'))],
    [
      'everything',
      async () => {
        await flush();
        await assert.rejects(store.write([sales(0, 1)]), { name: 'MetricsStoreEmptiedError' });
        await store.markFilled();
        // As it is filled again: older versions come first, and are not told.
        for (const old of [1, 2, 3, 25]) await store.write([sales(0, old)]);
      },
    ],
  ];
  await store.write([sales(0, 2)]);
  await until(() => events().includes(2));
  for (const [index, [, lose]] of losses.entries()) {
    const version = 10 + index * 5;
    const away = (rule: string) =>
      asAdmin((client) => client.sendCommand(['ACL', 'SETUSER', DASHBOARD_USER, rule]));
    await away('off');
    await asAdmin((client) => client.sendCommand(['CLIENT', 'KILL', 'USER', DASHBOARD_USER])).catch(() => 0);
    await store.write([sales(0, version)]);
    await store.write([sales(1, version)]);
    await lose();
    await away('on');
    if (index % 2 === 1) await store.write([sales(2, version)]);
    await until(() => values().some((value) => value.events >= version && value.window_start === START));
  }
  const first = values().filter((value) => value.window_start === START);
  assert.deepEqual(
    first.map((value) => value.events),
    [2, 10, 15, 20, 25],
  );
  stop();
  await Promise.all([dashboard.close(), store.close()]);
});
