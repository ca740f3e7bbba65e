// The latest sales on the page, in a real browser.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { MERCHANTS } from '../testing/fake-shop.ts';

describe('the latest sales', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  test('come by themselves, follow the merchant, and stand still with the page', async () => {
    await using served = await browser.shop();
    const sale = (buyerId: number, name: string, amountMinor: number) => ({
      ...{
        at: Date.now() - 5_000,
        customerName: name,
        buyerId,
        paymentMethod: 'PayPal',
        amountMinor,
        currency: 'USD',
      },
    });
    served.warehouse.sales = [
      sale(4_211, '<img src=x onerror=alert(1)>', 199_950),
      sale(17, MERCHANTS[1], 1_000),
    ];
    await using opened = await browser.open(served, { bypassCSP: true });
    const { page, faults } = opened;
    const rows = page.locator('.feed tbody tr');
    await rows.first().waitFor();
    const cells = (await rows.first().locator('td').allTextContents()).slice(1);
    assert.deepEqual(cells, ['<img src=x onerror=alert(1)>', '…11', 'PayPal', '$1,999.50']);
    served.warehouse.sales = [sale(1, MERCHANTS[0], 300), ...served.warehouse.sales];
    await page.locator('.feed tbody tr:nth-child(3)').waitFor();
    await page.getByLabel('Merchant').selectOption({ label: MERCHANTS[1] });
    await page.locator('.feed tbody tr:nth-child(2)').waitFor({ state: 'detached' });
    assert.match((await rows.first().textContent())!, /Norte Libros/);
    assert.deepEqual(await browser.objections(page), []);
    await page.keyboard.press('Space');
    served.warehouse.sales = [];
    await page.waitForTimeout(3_000);
    assert.equal(await rows.count(), 1, 'it moved while paused');
    assert.deepEqual(faults, []);
  });
});
