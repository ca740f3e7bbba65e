// Hours in half a minute: what the page keeps does not grow.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { aheadClock } from '../testing/ahead-clock.ts';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { SHOP_STAGES, shopDetails, shopHealth, shopWindow } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

/** Two hours fill everything that is bounded by time; the next two must not add to it. */
const WINDOWS = 240;
const STEP_MS = 60;
/** So that windows are most of what is kept. */
const CURRENCIES = ['USD', 'EUR', 'ARS', 'GBP', 'JPY', 'CHF'];
/** Elements that were taken away may be there a while; windows that stay are half of the heap again. */
const GROWTH_MAX = { heap: 1.2, nodes: 2, listeners: 1.2 } as const;

describe('a page that stays open', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  test('keeps what it shows, and nothing else', { timeout: 120_000 }, async (t) => {
    // The server's clock only: the page has its own.
    const { clock, pass: passTime } = aheadClock();
    await using served = await serve({ webDir: browser.webDir, clock, expectedStages: SHOP_STAGES });
    const step = async () => {
      const now = clock.now();
      const start = Math.floor(now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
      await served.store.write([
        ...shopWindow(start - LIVE_WINDOW_MS, now, 7, CURRENCIES),
        ...shopWindow(start, now, 7, CURRENCIES),
        ...shopDetails(now, 1, CURRENCIES),
      ]);
      await served.store.writeHealth(shopHealth(now));
    };
    await step();
    await using opened = await browser.open(served, {}, '?window=1h&tables=revenue products');
    const { page, faults } = opened;
    const session = await page.context().newCDPSession(page);
    await session.send('Performance.enable');
    const measured = async () => {
      await session.send('HeapProfiler.collectGarbage');
      const { metrics } = await session.send('Performance.getMetrics');
      const of = (name: string) => metrics.find((metric) => metric.name === name)!.value;
      return { heap: of('JSHeapUsedSize'), nodes: of('Nodes'), listeners: of('JSEventListeners') };
    };
    const pass = async () => {
      for (let window = 0; window < WINDOWS; window++) {
        passTime(LIVE_WINDOW_MS);
        await step();
        await page.waitForTimeout(STEP_MS);
      }
      return measured();
    };
    const first = await pass();
    const second = await pass();
    for (const [name, growthMax] of Object.entries(GROWTH_MAX)) {
      const [before, now] = [first[name as keyof typeof GROWTH_MAX], second[name as keyof typeof GROWTH_MAX]];
      t.diagnostic(`${name}: ${before} after two hours, ${now} after four`);
      assert.ok(now < before * growthMax, `${name}: ${before} → ${now}`);
    }
    assert.deepEqual(faults, []);
  });
});
