// The built page on a shop, in a real browser, for tests.
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { build } from 'vite';
import { LIVE_WINDOW_MS } from '../../../contracts/live.ts';
import { systemClock } from '../../../lib/clock.ts';
import type { DashboardOptions } from '../server/dashboard.ts';
import { SHOP_STAGES, shopDetails, shopHealth, shopHistory, shopWindows } from './fake-shop.ts';
import { type Served, serve } from './serve.ts';

const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Why there can be no browser, or false. */
export const noBrowser = existsSync(executablePath)
  ? false
  : `no Chromium at ${executablePath}: install it (Debian: apt-get install chromium) or name it in CHROMIUM`;
const ARGS = [
  '--no-sandbox',
  '--disable-dev-shm-usage',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
const DETAIL_WINDOWS = 60;
/** How far a window must be for a sale to be in it, and how long a test may need the same windows. */
const BEGUN_MS = 1_500;
const TEST_MS = 6_000;

export interface Opened extends AsyncDisposable {
  readonly page: Page;
  /** Errors in its console: a test looks at them last. */
  readonly faults: readonly string[];
}

export interface PageBrowser {
  readonly webDir: string;
  /** A page that is connected (or paused), or where one signs in. */
  open(served: Served, options?: BrowserContextOptions, query?: string): Promise<Opened>;
  /** A shop with 20 windows, and with 60 of what is counted in more detail; four weeks of history. */
  shop(
    currencies?: readonly string[],
    options?: Partial<DashboardOptions>,
  ): Promise<Served & { now: number }>;
  /** What axe objects to; the page must be opened with `bypassCSP`. */
  objections(page: Page): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** Builds the page and starts a browser. */
export async function pageBrowser(): Promise<PageBrowser> {
  const webDir = await mkdtemp(join(tmpdir(), 'instashop-web-'));
  const configFile = fileURLToPath(new URL('../web/vite.config.ts', import.meta.url));
  await build({ configFile, logLevel: 'error', build: { outDir: webDir } });
  const browser = await chromium.launch({ executablePath, args: ARGS });
  return {
    webDir,
    async open(served, options = {}, query = '') {
      const context = await browser.newContext({ locale: 'en', ...options });
      const page = await context.newPage();
      const faults: string[] = [];
      page.on('pageerror', (error) => faults.push(error.message));
      page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
      await page.goto(served.url + query);
      await page.locator('.connection:is([data-state=live], [data-state=paused]), .sign-in').waitFor();
      return { page, faults, [Symbol.asyncDispose]: () => context.close() };
    },
    async shop(currencies = ['USD'], options = {}) {
      const served = await serve({ webDir, expectedStages: SHOP_STAGES, ...options });
      // A window that ends in the middle of a test would no longer be the newest; one just begun has no sale yet.
      const passedMs = Date.now() % LIVE_WINDOW_MS;
      if (passedMs < BEGUN_MS) await systemClock.sleep(BEGUN_MS - passedMs);
      else if (passedMs > LIVE_WINDOW_MS - TEST_MS)
        await systemClock.sleep(LIVE_WINDOW_MS - passedMs + BEGUN_MS);
      const now = Date.now();
      await served.store.write(shopWindows(now, 20, 7, [...currencies]));
      await served.store.write(shopDetails(now, DETAIL_WINDOWS, [...currencies]));
      served.warehouse.points = shopHistory(now, 24 * 28 * 2, [...currencies]);
      await served.store.writeHealth(shopHealth(now).map((stage) => ({ ...stage, lag: 0 })));
      return { ...served, now };
    },
    async objections(page) {
      await page.evaluate(
        await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8'),
      );
      const { violations } = (await page.evaluate('axe.run()')) as {
        violations: { id: string; nodes: { html: string }[] }[];
      };
      return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`);
    },
    async close() {
      await browser.close();
      await rm(webDir, { recursive: true, force: true });
    },
  };
}
