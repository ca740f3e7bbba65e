// Only what goes on now: on a wall, and in the frame of another page.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { noBrowser, type PageBrowser, pageBrowser } from '../testing/browser.ts';
import { shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';

describe('what goes on now, alone', { skip: noBrowser }, () => {
  let browser: PageBrowser;
  before(async () => {
    browser = await pageBrowser();
  });
  after(() => browser?.close());

  test('on a wall: the figures, large, and Escape brings the page back', async () => {
    await using served = await browser.shop();
    await using opened = await browser.open(served, {
      bypassCSP: true,
      viewport: { width: 1920, height: 1080 },
    });
    const { page, faults } = opened;
    const widthOf = async () => (await page.locator('[data-figure=revenue]').boundingBox())!.height;
    const before = await widthOf();
    await page.locator('.stages').waitFor();
    await page.getByRole('button', { name: 'Wall' }).click();
    await page.locator('.stages').waitFor({ state: 'detached' });
    assert.equal(await page.locator('.choices').count(), 0);
    assert.ok((await widthOf()) > before * 1.2, 'it is not large');
    assert.equal(await page.evaluate('document.documentElement.scrollWidth > innerWidth'), false);
    assert.deepEqual(await browser.objections(page), []);
    assert.equal(new URL(page.url()).search, '?view=kiosk');
    // The first Escape may be the browser's, to leave the whole screen.
    await page.evaluate('document.exitFullscreen?.().catch(() => {})');
    await page.keyboard.press('Escape');
    await page.locator('.stages').waitFor();
    assert.deepEqual(faults, []);
  });

  test('in a frame: only of a page whose origin was named', async () => {
    const outer = createServer((request, response) => {
      const url = new URL(request.url!, 'http://outer').searchParams.get('of');
      response
        .setHeader('content-type', 'text/html')
        .end(`<iframe width="900" height="600" src="${url}"></iframe>`);
    }).listen(0, '127.0.0.1');
    await once(outer, 'listening');
    const origin = `http://127.0.0.1:${(outer.address() as AddressInfo).port}`;
    try {
      for (const embedOrigins of [[origin], []]) {
        await using served = await serve({ webDir: browser.webDir, embedOrigins });
        await served.store.write(shopWindows(Date.now(), 20));
        await using opened = await browser.open(served);
        const { page } = opened;
        await page.goto(`${origin}/?of=${encodeURIComponent(`${served.url}/?view=embed`)}`);
        const figure = page.frameLocator('iframe').locator('[data-figure=revenue]');
        if (embedOrigins.length > 0) {
          await figure.waitFor();
          assert.equal(await page.frameLocator('iframe').getByRole('button', { name: 'Pause' }).count(), 0);
        } else {
          await page.waitForTimeout(1_000);
          assert.equal(await figure.count(), 0, 'anybody may hold it in a frame');
        }
      }
    } finally {
      outer.close();
    }
  });
});
