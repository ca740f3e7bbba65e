// As much as it is made for, and more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveHealth } from '../../src/contracts/live.ts';
import { query } from '../support/books.ts';
import { settled, verified } from '../support/settled.ts';
import { newSystem, type Program, type System, until } from '../support/system.ts';

const FULL = { rate: 5_000, ms: 15_000 };
/** Sales of one transaction: more rows than capture takes at once. */
const BURST = 15_000;
const BURSTS = 2;
const SETTLE_MS_MAX = 120_000;

test('5,000 sales/s: the page stays live; far beyond, it lags visibly and catches up', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const program = system.start('run', '--generator', 'off');
  await until('the page', async () => ((await system.health()) ? true : null), { programs: [program] });

  const generator = system.start('run', 'generator', '--rate', String(FULL.rate));
  const end = Date.now() + FULL.ms;
  const ages: number[] = [];
  while (Date.now() < end) {
    await sleep(200);
    const health = await unfailed(system, [program, generator]);
    if (health.newest_committed_at !== null) ages.push(health.server_time - health.newest_committed_at);
  }
  assert.equal((await generator.stop()).code, 0, generator.said());
  const stoppedAt = Date.now();
  const full = await settled(system, [program], SETTLE_MS_MAX);
  ages.sort((a, b) => a - b);
  const median = ages[Math.floor(ages.length / 2)]!;
  t.diagnostic(
    `${full.sales} sales in ${FULL.ms} ms; page ${median} ms behind, at most ${ages.at(-1)}; ` +
      `all agree after ${Date.now() - stoppedAt} ms`,
  );
  assert.ok(median < 5_000, `the page is ${median} ms behind`);

  const before = Date.now();
  for (let burst = 0; burst < BURSTS; burst++) await query(system.dataDir, 'instashop', burstOf(BURST));
  const wroteMs = Date.now() - before;
  // Which stage is slowest depends on the machine; that one is behind must be seen.
  const behind = await until(
    'the page says that a stage lags',
    async () => {
      const { stages } = await unfailed(system, [program]);
      return (
        stages.find(({ lag, lag_unit: unit }) => (lag ?? 0) > (unit === 'bytes' ? 1_000_000 : 1_000)) ?? null
      );
    },
    { programs: [program] },
  );
  const { sales } = await settled(system, [program], SETTLE_MS_MAX);
  assert.equal(sales, full.sales + BURST * BURSTS);
  await verified(system);
  t.diagnostic(
    `${BURST * BURSTS} sales in ${wroteMs} ms; ${behind.stage} ${behind.lag} ${behind.lag_unit} behind; ` +
      `all agree after ${Date.now() - before} ms`,
  );
});

async function unfailed(system: System, programs: readonly Program[]): Promise<LiveHealth> {
  const health = await system.health();
  for (const program of programs) assert.ok(program.isRunning(), `a process ended:\n${program.said()}`);
  assert.ok(health, 'the page does not answer');
  assert.ok(
    health.stages.every(({ state }) => state !== 'failed'),
    JSON.stringify(health.stages),
  );
  return health;
}

/** So many sales of two pieces in one transaction. */
const burstOf = (sales: number): string => `
  WITH sale AS (
    INSERT INTO transaction (buyer_id, customer_id, total_amount, payment_method, status)
    SELECT 1, 1, 20, 'Credit Card', 'completed' FROM generate_series(1, ${sales}) RETURNING transaction_id)
  INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)
  SELECT transaction_id, 1, 2, 10 FROM sale`;
