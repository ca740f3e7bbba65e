// People on the page, in a real browser: the figures are the warehouse's, of what is chosen, and kept new.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { shopPeople } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

const HOUR_MS = 3_600_000;

describe('people', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  const text = async (page: Page, selector: string): Promise<string> =>
    (await page.locator(selector).first().textContent()) ?? '';
  const figure = (page: Page, name: string): Promise<string> => text(page, `.people [data-figure="${name}"]`);
  const shown = (page: Page) => page.locator('.funnel li').first().waitFor();
  const count = (value: number): string => value.toLocaleString('en');
  const percent = (ratio: number): string =>
    ratio.toLocaleString('en', { style: 'percent', maximumFractionDigits: 1 });

  test('the figures are the warehouse’s: of now, of the chosen time, and of as much before', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served);
    const { page, faults } = opened;
    await shown(page);
    const [now, period, earlier] = served.warehouse.askedPeople
      .slice(0, 3)
      .map(({ fromMs, toMs }) => ({ ms: toMs - fromMs, ...shopPeople(fromMs, toMs) }));
    assert.equal(now!.ms, 300_000);
    assert.equal(period!.ms, earlier!.ms);
    assert.equal(await figure(page, 'sessions-now'), count(now!.sessions));
    assert.equal(await figure(page, 'buyers-now'), count(now!.buyers));
    assert.equal(await figure(page, 'sessions'), count(period!.sessions));
    assert.equal(await figure(page, 'different-buyers'), count(period!.buyers));
    assert.equal(await figure(page, 'new-buyers'), count(period!.newBuyers));
    assert.match(
      await text(page, '.people'),
      new RegExp(`and ${count(period!.buyers - period!.newBuyers)} returning`),
    );
    const [money] = period!.money;
    assert.equal(await figure(page, 'abandoned'), count(money!.abandoned));
    assert.match(
      await text(page, '.people .stat:last-child .note'),
      /^\$[\d,.]+; the shop’s own events: [\d,]+$/,
    );

    const cart = await text(page, '[data-step=carted]');
    const dollars = (money!.cartMinor / 100).toLocaleString('en', { style: 'currency', currency: 'USD' });
    assert.ok(cart.startsWith(`Put one into the cart${dollars}${count(period!.carted)}`), cart);
    assert.ok(cart.includes(`${percent(period!.cartedOfViewed / period!.viewed)} of those who looked`), cart);
    const direct = await text(page, '[data-step=direct] .value');
    assert.ok(direct.endsWith(count(period!.bought - period!.boughtOfCheckedOut)), direct);
    assert.ok((await text(page, '[data-step=bought] .value')).endsWith(count(period!.boughtOfCheckedOut)));
    assert.ok(cart.includes(`${period!.carted - period!.cartedOfViewed} others had not looked`), cart);
    const change = (period!.carted / earlier!.carted - 1).toLocaleString('en', {
      style: 'percent',
      maximumFractionDigits: 1,
      signDisplay: 'exceptZero',
    });
    assert.ok(cart.endsWith(`${change} vs the 15 minutes before`), cart);
    assert.match(await text(page, '.list-products [data-name="9"] .beside'), /pieces, 136 views$/);
    assert.deepEqual(faults, []);
  });

  test('it is kept new without a reload, and stands still while paused', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {}, '?window=5m');
    const { page } = opened;
    await shown(page);
    const told = (sessions: number) => {
      served.warehouse.shopPeople = (from, to) => ({ ...shopPeople(from, to), sessions });
    };
    told(123_456);
    await page.locator('.people [data-figure=sessions]', { hasText: '123,456' }).waitFor({ timeout: 12_000 });
    await page.getByRole('button', { name: 'Pause' }).press('Enter');
    told(234_567);
    const asked = served.warehouse.askedPeople.length;
    await page.waitForTimeout(6_000);
    assert.equal(served.warehouse.askedPeople.length, asked);
    assert.equal(await figure(page, 'sessions'), '123,456');
    await page.getByRole('button', { name: 'Resume' }).press('Enter');
    await page.locator('.people [data-figure=sessions]', { hasText: '234,567' }).waitFor();
  });

  test('window, comparison and merchant are those of the page; other filters say that they do not hold', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {}, '?window=24h&merchant=2&compare=weekday');
    const { page } = opened;
    await shown(page);
    await page.locator('#people-title', { hasText: 'People: Norte Libros' }).waitFor();
    assert.match(await text(page, '[data-step=bought]'), /vs the same weekday$/);
    const [, period, earlier] = served.warehouse.askedPeople;
    assert.equal(period!.customerId, 2);
    assert.equal(period!.fromMs - earlier!.fromMs, 168 * HOUR_MS);
    assert.equal(period!.fromMs % HOUR_MS, 0);
    const chosen =
      '?window=custom&from=2026-03-01T10:00Z&to=2026-03-03T10:00Z&compare=none&category=Books&lang=es';
    await page.goto(served.url + chosen);
    await shown(page);
    const last = served.warehouse.askedPeople.at(-1)!;
    assert.deepEqual(
      [last.fromMs, last.toMs, last.customerId],
      [Date.parse('2026-03-01T10:00Z'), Date.parse('2026-03-03T10:00Z'), undefined],
    );
    assert.match(await text(page, '.people .warn'), /no se cuentan por «Categoría»/);
    assert.equal(await page.locator('.people .change').count(), 0);
    assert.match(await text(page, '[data-step=viewed]'), /Miraron un producto/);
  });

  test('what cannot be known is said: sales without a session, nothing before, nobody at all, no answer', async () => {
    await using served = await browser.shop();
    served.warehouse.points = served.warehouse.points.slice(-10);
    served.warehouse.shopPeople = (from, to) => ({
      ...shopPeople(from, to),
      ...{ sessionlessSales: 7, checkedOut: 0, checkedOutOfCarted: 0, boughtOfCheckedOut: 0 },
    });
    await using opened = await browser.open(served, {}, '?window=24h');
    const { page } = opened;
    await shown(page);
    const funnel = await text(page, '.funnel');
    assert.match(funnel, /Completed sales that name no session, and so are in no step: 7/);
    assert.match(funnel, /nothing to compare with yet/);
    assert.match(funnel, /nobody came so far/);
    served.warehouse.fault = new Error('down');
    await page.getByLabel('Compare with').selectOption('none');
    await page.locator('.people .warn', { hasText: 'The warehouse does not answer' }).waitFor();
    await using empty = await serve({ webDir: browser.webDir });
    await using none = await browser.open(empty);
    await none.page.getByRole('heading', { name: 'No sales yet' }).waitFor();
    await none.page.locator('.people').waitFor({ state: 'detached' });
  });

  test('as a table and a file, said what it is, and nothing for axe to object to, on a phone too', async () => {
    await using served = await browser.shop(['USD', 'EUR']);
    const tables = '?window=1h&tables=people funnel products';
    for (const [search, colorScheme, width] of [
      [tables, 'dark', 1280],
      [`${tables}&lang=es&merchant=2`, 'light', 360],
    ] as const) {
      const options = { colorScheme, bypassCSP: true, viewport: { width, height: 800 } };
      await using opened = await browser.open(served, options, search);
      const { page } = opened;
      await shown(page);
      assert.equal(await page.locator('.people tbody tr').count(), 7 + 5);
      assert.deepEqual(await browser.objections(page), [], search);
      assert.equal(await page.evaluate('document.documentElement.scrollWidth'), width, search);
    }
    await using opened = await browser.open(served);
    const { page } = opened;
    await shown(page);
    await page.getByLabel('What is this: Abandoned carts').press('Enter');
    await page.getByText(/did nothing for 30 minutes/).waitFor();
    const save = page.locator('.funnel button.link', { hasText: 'CSV' });
    const [download] = await Promise.all([page.waitForEvent('download'), save.click()]);
    const csv = (await readFile(await download.path(), 'utf8')).split('\r\n');
    assert.equal(
      csv[0],
      '\ufeffstep,name,sessions,with_step_before,amount,sessions_before,amount_before,from,to,currency',
    );
    assert.match(csv[4]!, /^bought,Bought,\d+,\d+,\d+\.\d\d,\d+,\d+\.\d\d,2\d{3}-.*Z,2\d{3}-.*Z,USD$/);
  });
});
