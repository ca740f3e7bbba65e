// The page in a real browser. Skipped, saying why, where there is no Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { shopHealth, shopWindow, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

describe('the page', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());
  const open: PageBrowser['open'] = (...args) => browser.open(...args);
  const shop: PageBrowser['shop'] = (...args) => browser.shop(...args);

  const text = async (page: Page, selector: string): Promise<string> =>
    (await page.locator(selector).first().textContent()) ?? '';
  const figure = (page: Page, name: string): Promise<string> => text(page, `[data-figure="${name}"]`);
  const dollars = (minor: number): string =>
    (minor / 100).toLocaleString('en', { style: 'currency', currency: 'USD' });
  const sumOf = (now: number, name: string, metric = 'transactions', group = 'USD'): number =>
    shopWindows(now, 20)
      .filter((value) => value.metric === metric && Object.values(value.group).includes(group))
      .reduce((sum, value) => sum + (value.values[name] ?? 0), 0);

  test('its numbers are the data’s', async () => {
    await using served = await shop();
    await using opened = await open(served);
    const { page, faults } = opened;
    const { now } = served;
    assert.equal(await figure(page, 'revenue'), dollars(sumOf(now, 'completed_entered_minor')));
    assert.equal(await figure(page, 'failed'), String(sumOf(now, 'failed_entered')));
    assert.equal(await figure(page, 'pending'), String(sumOf(now, 'pending_entered')));
    const books = await text(page, '.list-categories [data-name=Books] .value');
    assert.ok(books.startsWith(dollars(sumOf(now, 'gross_minor', 'products_by_category', 'Books'))));
    const visits = await text(page, '.list-behavior [data-name=website_visit] .value');
    assert.equal(visits.replace(',', ''), String(sumOf(now, 'count', 'behavior', 'website_visit')));
    assert.equal(await figure(page, 'total-customers'), '50');
    assert.equal(await figure(page, 'too-late'), '1');
    assert.equal(await page.locator('[data-stage=loader] td').nth(4).textContent(), '2');
    await page.locator('.now .as-table summary').first().click();
    await page.locator('.now .as-table tbody tr').first().waitFor();
    assert.equal(await page.locator('.now .as-table tbody tr').count(), 30);
    assert.match(await text(page, '.now .as-table tbody tr'), /open/);
    assert.deepEqual(faults, []);
  });

  test('it says how many processes a stage has, and how many of them stand by', async () => {
    await using served = await shop();
    const [stage] = shopHealth(served.now).filter((health) => health.stage === 'loader');
    const of = (name: string, instance: string, state: 'running' | 'standby') => ({
      ...stage!,
      stage: name,
      instance,
      state,
      at: served.now + 1,
    });
    await served.store.writeHealth([
      of('loader', 'a', 'running'),
      of('loader', 'b', 'running'),
      of('capture', 'a', 'running'),
      of('capture', 'b', 'standby'),
    ]);
    for (const [language, counts, said] of [
      ['en', ['3×', '1 standby'], '3 processes share its work'],
      ['es', ['3×', '1 en reserva'], '3 procesos se reparten su trabajo'],
    ] as const) {
      await using opened = await open(served, {}, `?lang=${language}`);
      const count = (name: string) => text(opened.page, `[data-stage=${name}] .stage-count`);
      assert.equal(await count('loader'), `${counts[0]}${said}`);
      assert.match(await text(opened.page, '[data-stage=capture] th'), new RegExp(counts[1]));
      assert.equal(await opened.page.locator('[data-stage=metrics] .stage-count').count(), 0);
    }
  });

  test('it moves without a reload, stands still while paused, and catches up', async () => {
    await using served = await shop();
    await using opened = await open(served);
    const { page } = opened;
    await page.evaluate('document.body.dataset.same = "yes"');
    const start = Math.floor(served.now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
    const shown = (events: number) => {
      const base = shopWindow(start, start + 29_000).find(({ metric }) => metric === 'transactions')!;
      const values = { ...base.values, completed_entered_minor: events * 100 };
      return { ...base, values, events: 1_000_000_000 + events };
    };
    await served.store.write([shown(123_456)]);
    await page.getByText('$123,456.00').first().waitFor();

    await page.getByRole('button', { name: 'Pause' }).press('Enter');
    await page.locator('.connection[data-state=paused]').waitFor();
    await served.store.write([shown(234_567)]);
    await page.waitForTimeout(700);
    assert.equal(await figure(page, 'open-revenue'), '$123,456.00');
    await page.getByRole('button', { name: 'Resume' }).press('Enter');
    await page.getByText('$234,567.00').first().waitFor();
    assert.equal(await page.evaluate('document.body.dataset.same'), 'yes');
  });

  test('it says when the server is gone, keeps what it knew, and comes back by itself', async () => {
    const served = await shop();
    await using opened = await open(served);
    const { page } = opened;
    const known = await figure(page, 'revenue');
    const port = Number(new URL(served.url).port);
    await served[Symbol.asyncDispose]();
    await page.locator('.connection[data-state=offline]').waitFor();
    assert.equal(await figure(page, 'revenue'), known);
    await using again = await serve({ webDir: browser.webDir, port });
    await again.store.write(shopWindows(Date.now(), 20, 3));
    await page.locator('.connection[data-state=live]').waitFor();
    await page.waitForFunction(
      `document.querySelector('[data-figure=revenue]').textContent !== ${JSON.stringify(known)}`,
    );
  });

  test('Spanish and English, dark and light, and a currency, all remembered by the address', async () => {
    await using served = await shop(['USD', 'EUR']);
    await using opened = await open(served, { locale: 'es', colorScheme: 'dark' });
    const { page } = opened;
    assert.equal(await page.locator('html').getAttribute('lang'), 'es');
    assert.match(await text(page, 'main'), /Últimos 15 minutos/);
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const dark = await background();
    await page.getByRole('button', { name: 'Tema claro' }).click();
    assert.notEqual(await background(), dark);
    await page.getByRole('button', { name: 'Switch to English' }).click();
    assert.match(await text(page, 'main'), /Last 15 minutes/);
    const before = await figure(page, 'revenue');
    await page.getByLabel('Currency').selectOption('EUR');
    assert.match(await figure(page, 'revenue'), /^€/);
    assert.notEqual(await figure(page, 'revenue'), before);
    const { searchParams } = new URL(page.url());
    assert.deepEqual(Object.fromEntries(searchParams), { theme: 'light', lang: 'en', currency: 'EUR' });
    await page.reload();
    assert.match(await figure(page, 'revenue'), /^€/);
  });

  test('an empty shop says so instead of showing zeros, until the first sale comes', async () => {
    await using served = await serve({ webDir: browser.webDir });
    await using opened = await open(served);
    const { page } = opened;
    await page.getByRole('heading', { name: 'No sales yet' }).waitFor();
    assert.equal(await page.locator('[data-figure=revenue]').count(), 0);
    await served.store.write(shopWindows(Date.now(), 1, 200));
    await page.locator('[data-figure=revenue]').waitFor();
  });

  test('the bars can be read with the keyboard', async () => {
    await using served = await shop();
    await using opened = await open(served);
    const { page } = opened;
    const chart = page.locator('.now .plot').first();
    assert.match((await chart.getAttribute('aria-label')) ?? '', /30 bars, highest \$/);
    await chart.focus();
    await chart.press('ArrowLeft');
    await page.locator('.now .reading', { hasText: 'open' }).first().waitFor();
    // The window before may still be open (the watermark is 10 s behind); the one before that is not.
    await chart.press('ArrowLeft');
    await chart.press('ArrowLeft');
    await page.locator('.now .reading', { hasText: 'closed' }).first().waitFor();
  });

  test('it fits a phone: nothing sticks out sideways', async () => {
    await using served = await shop(['USD', 'EUR']);
    for (const locale of ['en', 'es']) {
      await using opened = await open(served, { locale, viewport: { width: 360, height: 740 } });
      const widths = await opened.page.evaluate('[document.documentElement.scrollWidth, innerWidth]');
      assert.deepEqual(widths, [360, 360], locale);
    }
  });

  test('axe finds nothing to object to, light and dark, full and empty', async () => {
    await using full = await shop(['USD', 'EUR']);
    await using empty = await serve({ webDir: browser.webDir });
    for (const [served, colorScheme] of [
      [full, 'light'],
      [full, 'dark'],
      [empty, 'light'],
    ] as const) {
      // The page's own policy forbids the script that looks at it.
      await using opened = await open(served, { colorScheme, bypassCSP: true });
      assert.deepEqual(await browser.objections(opened.page), []);
    }
  });
});
