// Whether everything agrees, and what an operator can do about what was refused, in a real browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { LiveReport } from '../../../contracts/reconciliation.ts';
import type { Operations } from '../server/reconciliation.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { fakeReport, shopHealth, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

describe('does everything agree', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  const shop = async (operations?: Operations) => {
    const served = await serve({ webDir: browser.webDir, ...(operations && { operations }) });
    await served.store.write(shopWindows(Date.now(), 20));
    await served.store.writeHealth(shopHealth(Date.now()));
    return served;
  };

  test('it is compared on request, and what differs is shown in rows and money', async () => {
    let verify: () => Promise<LiveReport> = async () => fakeReport(Date.now(), 2);
    const replay = async () => ({ replayed: 3, before: 0, not_replayable: 1 });
    await using served = await shop({ verify: () => verify(), replay });
    await using opened = await browser.open(served, { bypassCSP: true });
    const { page, faults } = opened;
    const verdict = page.locator('[data-figure=reconciliation]');
    assert.equal(await verdict.textContent(), 'not compared yet');
    await page.getByRole('button', { name: 'Compare now' }).click();
    await page.locator('[data-figure=reconciliation][data-verdict=differ]').waitFor();
    const cells = await page.locator('[data-compared=sales-warehouse] td').allTextContents();
    assert.deepEqual(cells, ['log = warehouse', '20,412', '-2', '-99.00', 'differs']);
    const others = await page.locator('[data-compared=sales-windows] td').allTextContents();
    assert.deepEqual(others, ['log = windows', '20,412', '0', '0.00', 'agrees']);

    await page.locator('.dead-letters dt', { hasText: 'loader unreadable' }).waitFor();
    verify = async () => ({ ...fakeReport(Date.now()), dead_letters: {} });
    await page.getByRole('button', { name: 'Send them again' }).click();
    await page
      .locator('[data-figure=replayed]', { hasText: '3 sent again, 0 sent before, 1 cannot' })
      .waitFor();
    await page.locator('[data-figure=reconciliation][data-verdict=agree]').waitFor();
    await page.getByText('None wait: nothing was refused.').waitFor();
    assert.deepEqual(await browser.objections(page), []);
    assert.deepEqual(faults, []);
  });

  test('a comparison that fails says why, and one that cannot be made here says so', async () => {
    const away = async () => {
      throw new Error('the shop’s database does not answer');
    };
    await using served = await shop({ verify: away, replay: away });
    await using opened = await browser.open(served, {}, '?lang=es');
    const { page } = opened;
    await page.getByRole('button', { name: 'Comparar ahora' }).click();
    await page.getByText('No se pudo comparar: the shop’s database does not answer').waitFor();
    await using bare = await shop();
    await page.goto(bare.url);
    await page.getByText('This server may not read all places').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Compare now' }).count(), 0);
  });
});
