// Signing in and out, and what a merchant's user sees, in a real browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Page } from 'playwright-core';
import { API } from '../../../contracts/live.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { fakeReport, MERCHANTS, shopDetails } from '../testing/fake-shop.ts';
import { fakeUsers, PASSWORD } from '../testing/fake-users.ts';

/** By the keyboard alone: the name's field has the focus. */
async function signIn(page: Page, name: string, password = PASSWORD): Promise<void> {
  await page.locator('[name=name]:focus').waitFor();
  await page.keyboard.press('Control+A');
  await page.keyboard.type(name);
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
}
/** What only an operator is offered. */
const operations = {
  verify: async () => fakeReport(Date.now()),
  replay: async () => ({ replayed: 0, before: 0, not_replayable: 0 }),
};
const isLive = (page: Page) => page.locator('.connection[data-state=live]').waitFor();

describe('signing in', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  test('with the keyboard, at the address one came to; and out again', async () => {
    await using served = await browser.shop(['USD'], { users: await fakeUsers(), operations });
    await using opened = await browser.open(served, { bypassCSP: true }, '/?window=30m&compare=none');
    const { page } = opened;
    assert.equal(await page.locator('.connection').count(), 0);
    assert.deepEqual(await browser.objections(page), []);
    await signIn(page, 'Vera', 'not this one');
    await page.getByRole('alert').getByText('The name or the password is wrong.').waitFor();
    assert.equal(await page.locator('[type=password]:focus').count(), 1);
    assert.deepEqual(await browser.objections(page), []);
    await page.keyboard.type(PASSWORD);
    await page.keyboard.press('Enter');
    await isLive(page);
    assert.equal(new URL(page.url()).search, '?window=30m&compare=none');
    assert.equal(await page.locator('.who').textContent(), 'Vera');
    await page.locator('[data-figure=reconciliation]').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Compare now' }).count(), 0, 'Vera is no operator');
    assert.deepEqual(await browser.objections(page), []);
    await page.getByRole('button', { name: 'Sign out: Vera' }).click();
    await page.locator('.sign-in').waitFor();
    assert.equal(new URL(page.url()).search, '?window=30m&compare=none');
    assert.equal((await page.request.get(served.url + API.snapshot)).status(), 401);
  });

  test('in Spanish, in the dark, on a phone', async () => {
    await using served = await browser.shop(['USD'], { users: await fakeUsers(), operations });
    await using opened = await browser.open(served, {
      bypassCSP: true,
      locale: 'es',
      colorScheme: 'dark',
      viewport: { width: 360, height: 720 },
    });
    const { page } = opened;
    await page.getByRole('heading', { name: 'Iniciar sesión' }).waitFor();
    assert.deepEqual(await browser.objections(page), []);
    await page
      .getByRole('button', { name: 'Light' })
      .or(page.getByRole('button', { name: /claro/ }))
      .click();
    assert.deepEqual(await browser.objections(page), []);
    await page.locator('[name=name]').focus();
    await signIn(page, 'Olga');
    await isLive(page);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), false);
    await page.getByRole('button', { name: 'Comparar ahora' }).waitFor();
    await page.getByRole('button', { name: 'Cerrar sesión: Olga' }).click();
    await page.locator('.sign-in').waitFor();
  });

  test('a session that ends while the page is open leads to the sign-in, and back to where one was', async () => {
    await using served = await browser.shop(['USD'], { users: await fakeUsers(), operations });
    await using opened = await browser.open(served, {}, '/?category=Books');
    const { page } = opened;
    await signIn(page, 'Vera');
    await isLive(page);
    await page.request.delete(served.url + API.session);
    await page.locator('.sign-in').waitFor();
    await signIn(page, 'Vera');
    await isLive(page);
    assert.equal(new URL(page.url()).search, '?category=Books');
  });

  test('a merchant sees what is theirs, by name and without a choice, on the page and in its files', async () => {
    await using served = await browser.shop(['USD'], { users: await fakeUsers(), operations });
    await using opened = await browser.open(served, { bypassCSP: true }, '/?merchant=2');
    const { page } = opened;
    await signIn(page, 'Luna');
    await isLive(page);
    await page.locator('.own-merchant', { hasText: 'Casa Luna' }).waitFor();
    assert.equal(
      await page.locator('select.merchant, .chips, .lists, .pipeline, .reconciliation').count(),
      0,
    );
    await page.locator('#history-title', { hasText: 'Casa Luna' }).waitFor();
    await page.locator('[data-figure=sessions]').waitFor();

    const newest = Math.floor(served.now / 30_000) * 30_000;
    const sales = shopDetails(served.now, 30)
      .filter(({ metric, group }) => metric === 'transactions_by_merchant' && group['customer_id'] === 1)
      .filter(({ window_start }) => window_start > newest - 900_000)
      .reduce((sum, { values }) => sum + (values['completed_entered'] ?? 0), 0);
    assert.equal(await page.locator('[data-figure=sales]').textContent(), sales.toLocaleString('en'));

    const files = (await page.evaluate(`(async () => {
      const blobs = [];
      URL.createObjectURL = (blob) => (blobs.push(blob), '#');
      for (const button of document.querySelectorAll('button.link'))
        if (button.textContent.includes('CSV')) button.click();
      return Promise.all(blobs.map((blob) => blob.text()));
    })()`)) as string[];
    assert.ok(files.length >= 4, `${files.length} files`);
    const shown = [await page.locator('body').textContent(), ...files].join('\n');
    for (const other of [...MERCHANTS.slice(1), 'Product', 'website_visit', 'loader', 'unicorn']) {
      assert.ok(!shown.includes(other), `Luna sees ${other}`);
    }
    assert.deepEqual(await browser.objections(page), []);
  });
});
