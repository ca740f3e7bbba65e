import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type MemoryShop, memoryShop, SHOP_SIZE } from '../../../test/support/memory-shop.ts';
import type { Clock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Stage } from '../../lib/stage.ts';
import { GENERATOR_DEFAULTS, type GeneratorOptions, generator } from './generator.ts';

const START = Date.UTC(2026, 5, 1, 12);

/** A clock that moves only when told or slept on, and calls an end to the run. */
function handClock() {
  let now = START;
  const ends = new AbortController();
  const clock: Clock & { move(ms: number): void } = {
    now: () => now,
    move: (ms) => {
      now += ms;
    },
    sleep: async (ms) => {
      now += ms;
      if (now >= endAt) ends.abort();
    },
  };
  let endAt = Number.POSITIVE_INFINITY;
  const runUntil = async (stage: Stage, ms: number) => {
    endAt = START + ms;
    await stage.run(ends.signal);
  };
  return { clock, runUntil };
}

function stageOf(
  shop: MemoryShop,
  clock: Clock,
  options: Partial<GeneratorOptions> = {},
  warnings: string[] = [],
) {
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const all = { ...GENERATOR_DEFAULTS, ...SHOP_SIZE, ...options };
  return generator({ shop, clock, random: seededRandom(7), log, options: all });
}

test('by default: one activity each 0.1 s, dated by the clock', async () => {
  const shop = memoryShop();
  const { clock, runUntil } = handClock();
  const stage = stageOf(shop, clock);
  await runUntil(stage, 600_000);
  assert.ok(Math.abs(shop.sales.length + shop.interactions.length - 6_000) < 60);
  assert.ok(Math.abs(shop.sales.length - 4_200) < 120);
  assert.ok(shop.sales.every(({ at }) => at > START && at <= clock.now()));
  const { figures, processed, newest_at, lag } = stage.health();
  assert.equal(figures['sales'], shop.sales.length);
  assert.equal(processed, shop.sales.length + shop.interactions.length);
  assert.ok(newest_at !== null && newest_at > clock.now() - 1_000);
  assert.equal(lag, 0);
  assert.equal(figures['skipped_sales'], 0);
  assert.ok(Math.abs(figures['achieved_sales_per_second']! - 7) < 2);
  assert.ok(shop.products.length >= 29);
});

test('pending sales are settled, some completed ones refunded', async () => {
  const shop = memoryShop();
  const { clock, runUntil } = handClock();
  await runUntil(stageOf(shop, clock), 600_000);
  const old = shop.sales.filter(({ at }) => at < clock.now() - 130_000);
  assert.equal(old.filter(({ status }) => status === 'pending').length, 0);
  const refunded = old.filter(({ status }) => status === 'refunded').length / old.length;
  assert.ok(refunded > 0.01 && refunded < 0.03, `${refunded}`);
});

test('a shop that is too slow: open loop, bounded, reported', async () => {
  const warnings: string[] = [];
  const { clock, runUntil } = handClock();
  // 0.5 ms a sale: it can take 2,000 a second.
  const shop = memoryShop((what, rows) => what === 'placeSales' && clock.move(rows * 0.5));
  const stage = stageOf(shop, clock, { salesPerSecond: 4_000 }, warnings);
  await runUntil(stage, 60_000);
  const { figures, lag } = stage.health();
  assert.equal(figures['wanted_sales_per_second'], 4_000);
  assert.ok(
    Math.abs(figures['achieved_sales_per_second']! - 2_000) < 100,
    `${figures['achieved_sales_per_second']}`,
  );
  assert.ok(figures['behind_ms']! > 1_000 && figures['behind_ms']! < 3_000, `${figures['behind_ms']}`);
  const seconds = (clock.now() - START) / 1_000;
  const missing = 4_000 * seconds - shop.sales.length - (figures['behind_ms']! / 1_000) * 4_000;
  assert.ok(
    Math.abs(figures['skipped_sales']! / missing - 1) < 0.03,
    `${figures['skipped_sales']} of ${missing}`,
  );
  assert.ok(lag! > 0);
  assert.ok(warnings.length >= 2 && warnings.length <= 6, `${warnings.length} warnings in a minute`);
  assert.ok(shop.sales.at(-1)!.at > clock.now() - 4_000, 'sales are not dated far back');
});

test('after a pause of the machine it does not make up for the hour', async () => {
  const { clock, runUntil } = handClock();
  let paused = false;
  const shop = memoryShop(() => {
    if (!paused && clock.now() > START + 10_000) {
      paused = true;
      clock.move(3_600_000);
    }
  });
  await runUntil(stageOf(shop, clock), 3_620_000);
  assert.ok(shop.sales.length < 300, `${shop.sales.length}`);
});

test('a fast clock makes a history without holes up to the present, then goes on live', async () => {
  const { clock, runUntil } = handClock();
  const day = 86_400_000;
  const shop = memoryShop((what, rows) => what === 'placeSales' && clock.move(rows * 0.2));
  const options = { salesPerSecond: 1, clockSpeed: 1_440 * 6, startAt: START - day, curve: true };
  const stage = stageOf(shop, clock, options);
  await runUntil(stage, 40_000);
  assert.ok(stage.health().figures['held_back_ms']! > 0, 'the shop was too slow for this clock');
  const hours = Map.groupBy(shop.sales, ({ at }) => Math.floor(at / 3_600_000));
  assert.ok(hours.size >= 24);
  assert.ok(shop.sales.every(({ at }) => at <= clock.now()));
  assert.ok(shop.sales[0]!.at < START - day + 60_000);
  const sizes = [...hours.values()].map((sales) => sales.length).slice(1, 24);
  assert.ok(Math.max(...sizes) > 5 * Math.min(...sizes), `the curve shows: ${sizes}`);
  assert.ok(shop.sales.at(-1)!.at > clock.now() - 30_000, 'live at the end');
});

test('a later run adds something new and settles what was pending', async () => {
  const shop = memoryShop();
  const one = handClock();
  await one.runUntil(stageOf(shop, one.clock), 60_000);
  const before = shop.sales.length;
  const pending = shop.sales.flatMap(({ status }, index) => (status === 'pending' ? [index] : []));
  assert.ok(pending.length > 0);
  const two = handClock();
  await two.runUntil(stageOf(shop, two.clock), 60_000);
  assert.deepEqual(
    pending.filter((index) => shop.sales[index]!.status === 'pending'),
    [],
  );
  const sessions = (rows: readonly { sessionId: string }[]) =>
    new Set(rows.map(({ sessionId }) => sessionId));
  const [first, second] = [sessions(shop.sales.slice(0, before)), sessions(shop.sales.slice(before))];
  assert.deepEqual(
    [...first].filter((id) => second.has(id)),
    [],
  );
  assert.notDeepEqual(shop.sales[before]!.items, shop.sales[0]!.items);
});

test('runs again after a fault; status changes that failed are made up for', async () => {
  const { clock, runUntil } = handClock();
  let failures = 0;
  const shop = memoryShop((what) => {
    if (what === 'changeStatuses' && failures < 3) {
      failures++;
      throw Object.assign(new Error('gone'), { code: 'ECONNRESET' });
    }
  });
  const stage = stageOf(shop, clock);
  for (let i = 0; i < 3; i++) await assert.rejects(runUntil(stage, 300_000), { code: 'ECONNRESET' });
  await runUntil(stage, 300_000);
  const old = shop.sales.filter(({ at, status }) => status === 'pending' && at < clock.now() - 40_000);
  assert.deepEqual(old, []);
});
