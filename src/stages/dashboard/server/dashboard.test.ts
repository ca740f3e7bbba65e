import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  API,
  type LiveError,
  type LiveHealth,
  type LiveHistory,
  type LiveSnapshot,
} from '../../../contracts/live.ts';
import { UserError } from '../../../lib/errors.ts';
import { SHOP_STAGES, shopDetails, shopHealth, shopHistory, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';
import { sseViewer } from '../testing/sse-client.ts';

const json = async <T>(url: string): Promise<{ status: number; body: T; headers: Headers }> => {
  const response = await fetch(url);
  return { status: response.status, body: (await response.json()) as T, headers: response.headers };
};

test('the snapshot holds the newest windows, also those written before the dashboard started', async () => {
  await using served = await serve();
  const values = shopWindows(Date.now(), 3);
  await served.store.write(values);
  const { body, headers } = await json<LiveSnapshot>(served.url + API.snapshot);
  assert.equal(body.values.length, values.length);
  assert.equal(body.main_currency, 'USD');
  assert.equal(body.newest_committed_at, Math.max(...values.map((value) => value.newest_committed_at)));
  assert.match(headers.get('cache-control') ?? '', /no-store/);

  await using again = await serve({ metricsStore: served.store });
  const reloaded = await json<LiveSnapshot>(again.url + API.snapshot);
  assert.equal(reloaded.body.values.length, values.length);
});

test('a store that does not answer at the start costs nothing but time', async () => {
  const fault = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  await using source = await serve();
  await source.store.write(shopWindows(Date.now(), 2));
  source.store.fault = fault;
  await using served = await serve({ metricsStore: source.store });
  assert.equal((await json<LiveSnapshot>(served.url + API.snapshot)).body.values.length, 0);
  source.store.fault = null;
  for (let tries = 0; tries < 100; tries++) {
    if ((await json<LiveSnapshot>(served.url + API.snapshot)).body.values.length > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail('the values were never loaded');
});

test('health is 503 until the stages report, 200 while all are well, 503 with the reason otherwise', async () => {
  await using served = await serve({ expectedStages: SHOP_STAGES });
  const health = () => json<LiveHealth>(served.url + API.health);
  const before = await health();
  assert.deepEqual([before.status, before.body.status], [503, 'starting']);
  await served.store.writeHealth(shopHealth(Date.now()));
  const well = await health();
  assert.deepEqual([well.status, well.body.status, well.body.problems], [200, 'ok', []]);
  const failed = { ...shopHealth(Date.now() + 1)[3]!, state: 'failed' as const, last_error: 'disk full' };
  await served.store.writeHealth([failed]);
  const unwell = await health();
  assert.deepEqual([unwell.status, unwell.body.status], [503, 'unwell']);
  assert.deepEqual(unwell.body.problems, [{ stage: 'loader', problem: 'failed', detail: 'disk full' }]);
});

test('history asks the warehouse for whole hours and is asked once by many', async () => {
  await using served = await serve();
  served.warehouse.points = shopHistory(Date.now(), 48);
  const url = `${served.url}${API.history}?hours=24`;
  const answers = await Promise.all(Array.from({ length: 20 }, () => json<LiveHistory>(url)));
  assert.equal(answers[0]?.body.hours.length, 24);
  assert.equal(answers[0]?.body.totals?.customers, 50);
  assert.equal(served.warehouse.asked.length, 1);
  const { fromMs, toMs } = served.warehouse.asked[0]!;
  assert.equal(toMs - fromMs, 24 * 3_600_000);
  assert.equal(toMs % 3_600_000, 0);
  assert.ok(toMs > Date.now() && toMs - Date.now() <= 3_600_000);

  const one = await json<LiveHistory>(`${served.url}${API.history}?hours=2&customer_id=7`);
  assert.equal(one.body.customer_id, 7);
  assert.equal(served.warehouse.asked[1]?.customerId, 7);
});

test('bad questions get 400 and say what is wrong; a dead warehouse gets 503 and does not stick', async () => {
  await using served = await serve();
  const bad = [
    'hours=0',
    'hours=745',
    'hours=x',
    'hours=1.5',
    'hours=1&hours=2',
    'customer_id=0',
    'customer_id=-3',
    'days=1',
  ];
  for (const query of bad) {
    const { status, body } = await json<LiveError>(`${served.url}${API.history}?${query}`);
    assert.equal(status, 400, query);
    assert.match(body.message, /hours|customer_id/, query);
  }
  assert.equal(served.warehouse.asked.length, 0);
  served.warehouse.fault = new Error('connection refused');
  const down = await json<LiveError>(`${served.url}${API.history}`);
  assert.deepEqual([down.status, down.body.error], [503, 'warehouse_unavailable']);
  served.warehouse.fault = null;
  assert.equal((await json(`${served.url}${API.history}`)).status, 200);
  const nowhere = await json<LiveError>(`${served.url}/api/v1/nothing`);
  assert.deepEqual([nowhere.status, nowhere.body.error], [404, 'not_found']);
});

test('/metrics tells each stage’s figures in Prometheus’ format', async () => {
  await using served = await serve({ expectedStages: SHOP_STAGES });
  await served.store.writeHealth(shopHealth(Date.now()));
  const response = await fetch(`${served.url}/metrics`);
  const text = await response.text();
  assert.match(response.headers.get('content-type') ?? '', /^text\/plain/);
  assert.match(text, /instashop_stage_lag\{stage="capture",unit="bytes"\} 2048/);
  assert.match(text, /instashop_stage_dead_letters_total\{stage="loader"\} 2/);
  assert.match(text, /instashop_stage_figure\{stage="metrics",figure="too_late"\} 1/);
  assert.match(text, /# TYPE instashop_stage_processed_total counter/);
  assert.match(text, /instashop_problems 0/);
  assert.match(text, /instashop_sse_clients 0/);
  assert.equal(
    await (await fetch(`${served.url}/metrics`)).text().then((again) => again.split('\n').length),
    text.split('\n').length,
  );
});

test('/metrics names the processes of a stage where it has several', async () => {
  await using served = await serve();
  const now = Date.now();
  const [loader] = shopHealth(now).filter(({ stage }) => stage === 'loader');
  await served.store.writeHealth([
    { ...loader!, instance: 'a', processed: 5 },
    { ...loader!, instance: 'b', processed: 7, state: 'standby' },
    { ...loader!, stage: 'metrics', instance: 'a', processed: 9 },
  ]);
  const text = await (await fetch(`${served.url}/metrics`)).text();
  assert.match(text, /instashop_stage_processed_total\{stage="loader",instance="a"\} 5/);
  assert.match(text, /instashop_stage_up\{stage="loader",instance="b"\} 0/);
  assert.match(text, /instashop_stage_processed_total\{stage="metrics"\} 9/);
});

test('the page: no inline code, hashed files kept for good, the rest asked again', async () => {
  const webDir = await mkdtemp(join(tmpdir(), 'instashop-web-'));
  try {
    await mkdir(join(webDir, 'assets'));
    await writeFile(join(webDir, 'index.html'), '<!doctype html><title>x</title>');
    await writeFile(join(webDir, 'assets', 'app-1a2b.js'), 'console.log(1)');
    await using served = await serve({ webDir });
    const page = await fetch(served.url);
    assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'self';/);
    assert.doesNotMatch(page.headers.get('content-security-policy') ?? '', /unsafe|https?:|data:|\*/);
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    assert.equal(page.headers.get('cache-control'), 'no-cache');
    assert.equal(await page.text(), '<!doctype html><title>x</title>');
    const etag = page.headers.get('etag')!;
    assert.equal((await fetch(served.url, { headers: { 'if-none-match': etag } })).status, 304);
    const script = await fetch(`${served.url}/assets/app-1a2b.js`);
    assert.match(script.headers.get('cache-control') ?? '', /immutable/);
    assert.equal((await fetch(`${served.url}/assets/..%2f..%2fpackage.json`)).status, 404);
  } finally {
    await rm(webDir, { recursive: true });
  }
});

test('a page that was never built says how to build it', async () => {
  await using served = await serve({ webDir: '/nowhere' });
  const page = await fetch(served.url);
  assert.equal(page.status, 503);
  assert.match(await page.text(), /node scripts\/prepare\.js web/);
});

test('a taken port is a fault that names the option to change', async () => {
  await using served = await serve();
  const port = Number(new URL(served.url).port);
  await assert.rejects(serve({ port }), (error) => {
    assert.ok(error instanceof UserError);
    assert.match(error.remedy, /--dashboard-port/);
    return true;
  });
});

test('snapshot and stream answer for a period and one merchant, payment method or category', async () => {
  await using served = await serve();
  await served.store.write([...shopWindows(Date.now(), 40), ...shopDetails(Date.now(), 40)]);
  const merchant = await json<LiveSnapshot>(`${served.url}${API.snapshot}?period=300&merchant=2`);
  assert.deepEqual(merchant.body.scope, { period_s: 300, filter: { by: 'merchant', of: '2' } });
  const ofMerchant = merchant.body.values.filter(({ metric }) => metric === 'transactions_by_merchant');
  assert.ok(ofMerchant.length >= 19 && ofMerchant.length <= 21);
  assert.ok(ofMerchant.every(({ group }) => group['customer_id'] === 2));
  using viewer = await sseViewer(served.url, undefined, '?period=300&merchant=2');
  const { data } = await viewer.next();
  assert.deepEqual(data.values, merchant.body.values);
  assert.deepEqual(data.scope, merchant.body.scope);
  for (const path of [API.snapshot, API.stream]) {
    const bad = await json<LiveError>(`${served.url}${path}?merchant=2&category=Books`);
    assert.deepEqual([bad.status, bad.body.error], [400, 'bad_request']);
  }
});

test('history ends where it is told to, at a whole hour', async () => {
  await using served = await serve();
  const until = Date.parse('2026-03-01T10:20:00Z');
  const { status } = await json(`${served.url}${API.history}?hours=48&until=${until}`);
  assert.equal(status, 200);
  const { fromMs, toMs } = served.warehouse.asked[0]!;
  assert.equal(new Date(toMs).toISOString(), '2026-03-01T11:00:00.000Z');
  assert.equal(toMs - fromMs, 48 * 3_600_000);
  await json(`${served.url}${API.history}?hours=1&until=${toMs}`);
  assert.equal(served.warehouse.asked[1]?.toMs, toMs);
  assert.equal((await json(`${served.url}${API.history}?until=yesterday`)).status, 400);
});
