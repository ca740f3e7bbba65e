import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StageHealth } from '../contracts/stage-health.ts';
import type { Clock } from '../lib/clock.ts';
import { UserError } from '../lib/errors.ts';
import { silentLog } from '../lib/log.ts';
import { healthOf, stageCounts } from '../lib/stage.ts';
import { figuresLine } from './live-line.ts';
import { healthToLog, report } from './report.ts';
import { supervise } from './supervise.ts';

/** Time that passes only by sleeping, and is remembered. */
function sleepyClock(): Clock & { readonly slept: number[] } {
  let now = 1_000_000;
  const slept: number[] = [];
  return {
    slept,
    now: () => now,
    async sleep(delayMs) {
      slept.push(delayMs);
      now += delayMs;
      await new Promise(setImmediate);
    },
  };
}

const passing = (): Error => Object.assign(new Error('away'), { retryable: true });
const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve())));

test('a passing fault is met with growing pauses, and counted', async () => {
  const clock = sleepyClock();
  let runs = 0;
  const stage = supervise(
    'loader',
    async () => ({
      name: 'loader',
      health: () => healthOf('loader', clock, stageCounts()),
      async run(signal: AbortSignal) {
        runs += 1;
        if (runs <= 8) throw passing();
        await untilAborted(signal);
      },
    }),
    { clock, log: silentLog },
  );
  assert.equal(stage.health().state, 'starting');
  const ended = stage.run();
  while (runs < 9) await new Promise(setImmediate);
  assert.equal(stage.health().state, 'retrying', 'it may meet the same fault again at once');
  await clock.sleep(3_000);
  assert.equal(stage.health().state, 'running');
  clock.slept.pop();
  assert.deepEqual(clock.slept, [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  assert.equal(stage.health().last_error, 'away');
  stage.stop();
  await ended;
  assert.equal(stage.health().state, 'stopped');
});

test('a store that is away when the stage is made is waited for', async () => {
  const clock = sleepyClock();
  let made = 0;
  const stage = supervise(
    'loader',
    async () => {
      made += 1;
      if (made < 3) throw passing();
      return { name: 'loader', health: () => healthOf('loader', clock, stageCounts()), run: untilAborted };
    },
    { clock, log: silentLog },
  );
  const ended = stage.run();
  while (stage.health().state !== 'running') await clock.sleep(1_000);
  assert.equal(made, 3);
  stage.stop();
  await ended;
});

test('any other fault ends it, and so does a stage that ends unasked', async () => {
  const clock = sleepyClock();
  const failing = (run: () => Promise<void>) =>
    supervise(
      'loader',
      async () => ({ name: 'loader', health: () => healthOf('loader', clock, stageCounts()), run }),
      { clock, log: silentLog },
    );
  const refused = failing(() => Promise.reject(new UserError('no room', 'make some')));
  await assert.rejects(refused.run(), /no room/);
  assert.equal(refused.health().state, 'failed');
  await assert.rejects(failing(async () => undefined).run(), /ended unasked/);
});

test('a stage that waits for another process is a standby while it runs', async () => {
  const clock = sleepyClock();
  const stage = supervise(
    'capture',
    async () => ({
      name: 'capture',
      health: () => ({ ...healthOf('capture', clock, stageCounts()), state: 'standby' as const }),
      run: untilAborted,
    }),
    { clock, log: silentLog },
  );
  assert.equal(stage.health().state, 'starting');
  const ended = stage.run();
  await new Promise(setImmediate);
  assert.equal(stage.health().state, 'standby');
  stage.stop();
  await ended;
  assert.equal(stage.health().state, 'stopped');
});

test('health is reported when it changes, at least every 5 s, and at the end', async () => {
  const clock = sleepyClock();
  const ending = new AbortController();
  let processed = 0;
  let state: StageHealth['state'] = 'running';
  const rounds: number[] = [];
  const stage = {
    name: 'loader',
    url: () => null,
    run: async () => undefined,
    stop: () => undefined,
    health: () => ({ ...healthOf('loader', clock, stageCounts()), processed, state }),
  };
  const start = clock.now();
  const states: string[] = [];
  const send = healthToLog(async () => ({
    async append(records) {
      rounds.push(clock.now() - start);
      states.push(JSON.parse(Buffer.from(records[0]!.value).toString()).state);
      if (rounds.length === 3) processed = 1;
      if (rounds.length === 4) {
        state = 'stopped';
        ending.abort();
      }
    },
  }));
  await report({ stages: [stage], send, clock, log: silentLog }, ending.signal);
  assert.deepEqual(rounds, [0, 5_000, 10_000, 11_000, 12_000]);
  assert.equal(states.at(-1), 'stopped');
});

test('where a stage may have several processes, each reports under its own key', async () => {
  const clock = sleepyClock();
  const ending = new AbortController();
  const stage = {
    name: 'loader',
    url: () => null,
    run: async () => undefined,
    stop: () => undefined,
    health: () => healthOf('loader', clock, stageCounts()),
  };
  const sent: (readonly [string | null, StageHealth])[] = [];
  const send = healthToLog(async () => ({
    async append(records) {
      for (const { key, value } of records) sent.push([key, JSON.parse(Buffer.from(value).toString())]);
      ending.abort();
    },
  }));
  await report({ stages: [stage], send, instance: 'b', clock, log: silentLog }, ending.signal);
  assert.deepEqual(
    sent.map(([key, { stage, instance }]) => [key, stage, instance]),
    [['loader@b', 'loader', 'b']],
  );
});

test('the live line says how much comes, what waits, and how old the page is', () => {
  const clock = sleepyClock();
  const health = (stage: string, more: Partial<StageHealth>): StageHealth => ({
    ...healthOf(stage, clock, stageCounts()),
    ...more,
  });
  const line = figuresLine(
    [
      health('generator', { figures: { achieved_sales_per_second: 7.04 } }),
      health('capture', { processed: 300, lag: 2_000_000, lag_unit: 'bytes' }),
      health('loader', { state: 'retrying', dead_letters: 2 }),
      health('dashboard', { newest_at: clock.now() - 1_500 }),
    ],
    new Map([['capture', 100]]),
    clock.now(),
    1_000,
  );
  assert.equal(
    line,
    '7.0 sales/s · 200 events/s · capture 2 MB behind · newest sale on the page 1.5 s old' +
      ' · 2 dead letters · loader retrying',
  );
});
