// Alerts on the page, in a real browser, from the first wrong number to the last.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { aheadClock } from '../testing/ahead-clock.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { SHOP_STAGES, shopHealth, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

describe('alerts', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  test('a rule that holds stands above everything, with its numbers, and is kept when it is over', {
    timeout: 60_000,
  }, async () => {
    // The server's clock only: the page has its own.
    const { clock, pass: passTime } = aheadClock(200);
    const rule = { name: 'Too many <b>sales</b>', figure: 'sales', minutes: 5, above: 100 } as const;
    await using served = await serve({
      ...{ webDir: browser.webDir, clock, alertRules: [rule], expectedStages: SHOP_STAGES },
    });
    const write = async (perSecond: number) => {
      const now = clock.now();
      await served.store.write(
        shopWindows(now, 40, perSecond).map((one) => ({ ...one, revision: one.revision + 5 })),
      );
      await served.store.writeHealth(shopHealth(now).map((stage) => ({ ...stage, lag: 0 })));
    };
    await write(7);
    await using opened = await browser.open(served, { bypassCSP: true });
    const { page, faults } = opened;
    const alert = page.locator('.alerts[data-active=true] li');
    await alert.waitFor();
    assert.match((await alert.textContent())!, /Too many <b>sales<\/b> Sales: [\d,]+ in 5 min, above 100\./);
    assert.deepEqual(await browser.objections(page), []);
    assert.deepEqual(faults, []);
    passTime(40 * LIVE_WINDOW_MS);
    await served.store.write(shopWindows(clock.now(), 30, 0.05));
    await served.store.writeHealth(shopHealth(clock.now()).map((stage) => ({ ...stage, lag: 0 })));
    await page.locator('.alerts[data-active=false]').waitFor();
    await page.getByText('1 alert before').click();
    await page.locator('.alerts details li', { hasText: 'above 100' }).waitFor();
  });
});
