// As much as it is made for, and more.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { settled } from '../support/settled.ts';
import { newSystem, type Program, until } from '../support/system.ts';

const FULL = { rate: 5_000, ms: 15_000 };
const TOO_MUCH = { rate: 20_000, ms: 6_000 };
const SETTLE_MS_MAX = 120_000;

test('5,000 sales/s: the page stays live; far beyond, capture lags and catches up', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const program = system.start('run', '--generator', 'off');
  await until('the page', async () => ((await system.health()) ? true : null), { programs: [program] });

  const watch = async (generator: Program, ms: number) => {
    const end = Date.now() + ms;
    const ages: number[] = [];
    let lagMax = 0;
    while (Date.now() < end) {
      await sleep(200);
      assert.ok(
        program.isRunning() && generator.isRunning(),
        `ended:\n${program.said()}\n${generator.said()}`,
      );
      const health = await system.health();
      assert.ok(health, 'the page does not answer');
      assert.ok(
        health.stages.every(({ state }) => state !== 'failed'),
        JSON.stringify(health.stages),
      );
      if (health.newest_committed_at !== null) ages.push(health.server_time - health.newest_committed_at);
      lagMax = Math.max(lagMax, health.stages.find(({ stage }) => stage === 'capture')?.lag ?? 0);
    }
    ages.sort((a, b) => a - b);
    return { ages, lagMax, ageMs: ages[Math.floor(ages.length / 2)]!, ageMsMax: ages.at(-1)! };
  };
  const load = async ({ rate, ms }: typeof FULL) => {
    const startedAt = Date.now();
    const generator = system.start('run', 'generator', '--rate', String(rate));
    const seen = await watch(generator, ms);
    assert.equal((await generator.stop()).code, 0, generator.said());
    const ranMs = Date.now() - startedAt;
    const stoppedAt = Date.now();
    const { sales } = await settled(system, [program], SETTLE_MS_MAX);
    return { ...seen, sales, ranMs, settledMs: Date.now() - stoppedAt };
  };

  const full = await load(FULL);
  t.diagnostic(
    `${FULL.rate}/s: ${full.sales} sales in ${full.ranMs} ms; page ${full.ageMs} ms behind (at most ${full.ageMsMax}); all agree after ${full.settledMs} ms`,
  );
  assert.ok(full.ageMs < 5_000, `the page is ${full.ageMs} ms behind`);

  const beyond = await load(TOO_MUCH);
  t.diagnostic(
    `${TOO_MUCH.rate}/s: ${beyond.sales - full.sales} sales in ${beyond.ranMs} ms; capture at most ${beyond.lagMax} bytes behind, page ${beyond.ageMsMax} ms; all agree after ${beyond.settledMs} ms`,
  );
  assert.ok(beyond.lagMax > full.lagMax, 'capture does not say that it lags');
});
