// What one can choose on the page, in a real browser: windows, comparison, filters, pause, tables and files.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { shopDetails, shopWindow, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

const UPDATES = 30;
/** The aim is 5 ms; a busy machine without a graphics card takes longer. */
const UPDATE_MS_MAX = 15;

describe('what one chooses', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  const text = async (page: Page, selector: string): Promise<string> =>
    (await page.locator(selector).first().textContent()) ?? '';
  const figure = (page: Page, name: string): Promise<string> => text(page, `[data-figure="${name}"]`);
  const dollars = (minor: number): string =>
    (minor / 100).toLocaleString('en', { style: 'currency', currency: 'USD' });
  const choose = (page: Page, label: string) =>
    page.locator('.periods label').getByText(label, { exact: true }).click();
  const shown = (page: Page, name: string, wanted: string) =>
    page.locator(`[data-figure="${name}"]`, { hasText: wanted }).first().waitFor();
  const query = (page: Page) => Object.fromEntries(new URL(page.url()).searchParams);

  /** Sum of a figure over the newest windows of a group. */
  const sum = (now: number, windows: number, name: string, metric: string, of: string): number =>
    [...shopWindows(now, 20), ...shopDetails(now, 60)]
      .filter((value) => value.metric === metric && Object.values(value.group).map(String).includes(of))
      .filter(({ window_start }) => window_start > now - windows * LIVE_WINDOW_MS)
      .reduce((total, value) => total + (value.values[name] ?? 0), 0);

  test('windows, filters and back: the numbers are the data’s, and the address brings them back', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page, faults } = opened;
    const { now } = served;
    const all = dollars(sum(now, 30, 'completed_entered_minor', 'transactions', 'USD'));
    await shown(page, 'revenue', all);
    await choose(page, '5 min');
    await shown(page, 'revenue', dollars(sum(now, 10, 'completed_entered_minor', 'transactions', 'USD')));
    assert.match(await text(page, '#now-title'), /Last 5 minutes/);

    await page.getByLabel('Merchant').selectOption({ label: 'Norte Libros' });
    const merchant = dollars(sum(now, 10, 'completed_entered_minor', 'transactions_by_merchant', '2'));
    await shown(page, 'revenue', merchant);
    assert.match(await text(page, '#now-title'), /Norte Libros/);
    assert.match(await text(page, '.list-payments .note'), /whole shop, not filtered/);
    assert.equal(served.warehouse.asked.at(-1)?.customerId, 2);

    await page.locator('.list-payments button.name', { hasText: 'PayPal' }).click();
    await shown(
      page,
      'revenue',
      dollars(sum(now, 10, 'completed_entered_minor', 'transactions_by_payment', 'PayPal')),
    );
    assert.deepEqual(query(page), { window: '5m', payment: 'PayPal' });
    await page.goBack();
    await shown(page, 'revenue', merchant);
    assert.deepEqual(query(page), { window: '5m', merchant: '2' });
    await page.reload();
    await shown(page, 'revenue', merchant);
    await page.getByRole('button', { name: 'Remove filter Merchant: Norte Libros' }).click();
    await page.locator('.chip').waitFor({ state: 'detached' });

    await page.locator('.list-categories button.name', { hasText: 'Books' }).click();
    await shown(page, 'revenue', dollars(sum(now, 10, 'gross_minor', 'products_by_category', 'Books')));
    assert.equal(await page.locator('.not-revenue').count(), 0);
    await page.locator('.list-products h2', { hasText: 'Top products: Books' }).waitFor();
    assert.equal(await page.locator('.list-products li').count(), 3);
    assert.deepEqual(faults, []);
  });

  test('the time before stands beside each number it belongs to, or the page says why it does not', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {}, '?window=5m');
    const { page } = opened;
    await page.locator('[data-figure=revenue-change] .change').waitFor();
    const of = (from: number, to: number): number =>
      shopWindows(served.now, 20)
        .filter(({ metric, state }) => metric === 'transactions' && (state === 'closed' || to > 10))
        .filter(({ window_start }) => {
          const back = Math.floor(served.now / LIVE_WINDOW_MS) - window_start / LIVE_WINDOW_MS;
          return back >= from && back < to;
        })
        .reduce((total, { values }) => total + (values['completed_entered_minor'] ?? 0), 0);
    const open = shopWindows(served.now, 20).filter(
      ({ metric, state }) => metric === 'transactions' && state === 'open',
    ).length;
    const ratio = of(open, 10) / of(10 + open, 20) - 1;
    const wanted = ratio.toLocaleString('en', {
      style: 'percent',
      maximumFractionDigits: 1,
      signDisplay: 'exceptZero',
    });
    assert.equal(await text(page, '[data-figure=revenue-change] strong'), wanted);
    await choose(page, '1 h');
    await page.getByText(/nothing to compare with yet: counted since/).waitFor();
    await page.getByLabel('Compare with').selectOption('none');
    await page.locator('[data-figure=revenue-change]').waitFor({ state: 'detached' });
    assert.deepEqual(query(page), { window: '1h', compare: 'none' });
  });

  test('whole hours come from the warehouse, with the same weekday to compare', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {}, '?window=24h&compare=weekday');
    const { page, faults } = opened;
    const hourly = (back: number) => {
      const to = (Math.floor(served.now / 3_600_000) + 1 - back) * 3_600_000;
      return served.warehouse.points.filter(({ hour }) => hour >= to - 24 * 3_600_000 && hour < to);
    };
    const orders = hourly(0).reduce((all, { completed }) => all + completed, 0);
    await shown(page, 'period-revenue', dollars(orders * 9_850));
    await shown(page, 'period-orders', orders.toLocaleString('en'));
    assert.match(await text(page, '[data-figure=period-change]'), /vs the same weekday/);
    assert.ok(served.warehouse.asked.some(({ toMs }) => toMs === hourly(168).at(-1)!.hour + 3_600_000));
    assert.equal(await page.locator('.heat tbody td').count(), 7 * 24);
    assert.equal(await page.locator('.heat tbody td[data-known=false]').count(), 0);

    await choose(page, 'Custom');
    await page.getByLabel('From').fill('2026-03-01T10:00');
    await page.waitForFunction('location.search.includes("from=2026")');
    assert.equal(query(page)['window'], 'custom');
    assert.deepEqual(faults, []);
  });

  test('space pauses and goes on, what is held is counted, and a reload stays paused', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page } = opened;
    await page.locator('[data-figure=revenue]').waitFor();
    await page.keyboard.press('Space');
    await page.locator('.connection[data-state=paused]').waitFor();
    const before = await figure(page, 'revenue');
    const start = Math.floor(served.now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
    for (let change = 1; change <= 3; change++) {
      const [value] = shopWindow(start, start + 29_000);
      await served.store.write([{ ...value!, events: 1e9 + change }]);
      await page.waitForTimeout(60);
    }
    await page.getByRole('button', { name: /^Resume.*[1-9] updates? held/ }).waitFor();
    assert.equal(await figure(page, 'revenue'), before);
    await page.reload();
    await page.locator('.connection[data-state=paused]').waitFor();
    await page.locator('[data-figure=revenue]').waitFor();
    await page.keyboard.press('Space');
    await page.locator('.connection[data-state=live]').waitFor();
    await page.getByRole('button', { name: 'Pause' }).focus();
    await page.keyboard.press('Space');
    await page.locator('.connection[data-state=paused]').waitFor();
  });

  test('carts, searches and products show what was counted; no search is “none”, not 0 %', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page } = opened;
    const { now } = served;
    await page.locator('.list-products li').first().waitFor();
    const abandoned = await text(page, '.list-carts [data-name=cart_abandonment] .value');
    const count = sum(now, 30, 'count', 'carts', 'cart_abandonment');
    assert.equal(abandoned, `${count.toLocaleString('en')}${dollars(count * 7_300)}`);
    await shown(page, 'without-result', '12.5%');
    assert.match(await text(page, '.list-searches'), /unicorn saddle/);
    await page.getByRole('button', { name: 'Rank by pieces' }).click();
    await page
      .locator('.list-products li .value', { hasText: /pieces\$/ })
      .first()
      .waitFor();

    await using quiet = await serve({ webDir: browser.webDir });
    await quiet.store.write(shopWindows(Date.now(), 20));
    await using other = await browser.open(quiet);
    await shown(other.page, 'without-result', 'none');
  });

  test('each panel is also a table and a file, and which tables are open is in the address', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page, faults } = opened;
    await page.locator('.list-categories .as-table summary').click();
    await page.locator('.list-categories .as-table tbody tr').first().waitFor();
    assert.deepEqual(query(page), { tables: 'categories' });
    await page.reload();
    await page.locator('.list-categories .as-table tbody tr').first().waitFor();
    const panels = page.locator('button.link', { hasText: 'CSV' });
    assert.ok((await panels.count()) >= 18);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('.list-categories button.link', { hasText: 'CSV' }).click(),
    ]);
    assert.match(download.suggestedFilename(), /^instashop-categories-[\dT-]+\.csv$/);
    const csv = await readFile(await download.path(), 'utf8');
    assert.match(csv, /^\ufeffcategory,revenue,pieces,currency\r\n/);
    const books = sum(served.now, 30, 'gross_minor', 'products_by_category', 'Books');
    assert.match(csv, new RegExp(`\r\nBooks,${(books / 100).toFixed(2)},\\d+,USD\r\n`));
    assert.deepEqual(faults, []);
  });

  test('each number says how it is made, with the keyboard too', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page } = opened;
    await page.getByLabel('What is this: Conversion').press('Enter');
    await page.getByText(/Completed sales per 100 website visits/).waitFor();
    await page.keyboard.press('Escape');
    await page.getByText(/Completed sales per 100 website visits/).waitFor({ state: 'hidden' });
  });

  test('what strangers wrote is text, never code', async () => {
    await using served = await browser.shop();
    const canary = '<img src=x onerror="document.body.dataset.ran=1">';
    const named = shopDetails(served.now, 1).filter(
      ({ metric }) => metric === 'products' || metric === 'searches',
    );
    await served.store.write(
      named.map((value) => ({
        ...value,
        events: 1e9,
        labels: { product_name: canary, category: canary },
        ...(value.metric === 'searches' && { group: { search_query: canary } }),
      })),
    );
    await using opened = await browser.open(served, {}, `?category=${encodeURIComponent(canary)}&window=5m`);
    const { page } = opened;
    await page.locator('.list-products li', { hasText: canary }).first().waitFor();
    await page.locator('.chip', { hasText: canary }).waitFor();
    assert.equal(await page.evaluate('document.body.dataset.ran'), undefined);
  });

  test('out of sight nothing is painted, and on return the page is right at once', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page } = opened;
    const hide = (hidden: boolean) =>
      page.evaluate(
        `Object.defineProperty(document, 'hidden', { configurable: true, value: ${hidden} });
         document.dispatchEvent(new Event('visibilitychange'))`,
      );
    await page.locator('[data-figure=open-revenue]').waitFor();
    await hide(true);
    const before = await figure(page, 'open-revenue');
    const start = Math.floor(served.now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
    const [value] = shopWindow(start, start + 29_000);
    const values = { ...value!.values, completed_entered_minor: 12_345_600 };
    await served.store.write([{ ...value!, values, events: 1e9 }]);
    await page.waitForTimeout(800);
    assert.equal(await figure(page, 'open-revenue'), before);
    await hide(false);
    await page.getByText('$123,456.00').first().waitFor({ timeout: 1_000 });
  });

  test('an update costs the main thread little', async (t) => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {}, '?window=1h');
    const { page } = opened;
    await page.locator('.heat tbody td').first().waitFor();
    const session = await page.context().newCDPSession(page);
    // CPU time of the thread: whatever else the machine does, it is not counted.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    const used = async (): Promise<number> =>
      (await session.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'TaskDuration')!
        .value * 1_000;
    const start = Math.floor(served.now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
    const before = await used();
    for (let update = 1; update <= UPDATES; update++) {
      const values = [...shopWindow(start, start + 29_000), ...shopDetails(start + 29_000, 1)];
      await served.store.write(values.map((value) => ({ ...value, events: 1e9 + update })));
      await page.waitForTimeout(100);
    }
    const ms = ((await used()) - before) / UPDATES;
    t.diagnostic(`main thread: ${ms.toFixed(1)} ms of CPU an update`);
    assert.ok(ms < UPDATE_MS_MAX, `${ms} ms`);
  });

  test('axe finds nothing, and nothing sticks out, with everything chosen', async () => {
    await using served = await browser.shop(['USD', 'EUR']);
    const long = '?window=24h&merchant=2&tables=hours-revenue heat totals';
    const live = '?window=1h&category=Books&currency=EUR&tables=revenue products searches&paused=1';
    for (const [search, colorScheme, width] of [
      [live, 'dark', 1280],
      [long, 'light', 1280],
      [long, 'dark', 360],
      [live, 'light', 360],
    ] as const) {
      const options = { colorScheme, bypassCSP: true, viewport: { width, height: 800 } };
      await using opened = await browser.open(served, options, search);
      await opened.page.locator('.heat tbody td').first().waitFor();
      assert.deepEqual(await browser.objections(opened.page), [], search);
      assert.equal(await opened.page.evaluate('document.documentElement.scrollWidth'), width, search);
    }
  });
});
