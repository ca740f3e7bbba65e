import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Clock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { watch } from './watch.ts';

/** A process that ends at once after each start, on a clock that jumps; when it was started, in ms. */
async function startsWithin(ms: number, more: { isWanted?: () => boolean; runsMs?: number } = {}) {
  const stopping = new AbortController();
  let now = 0;
  let endsAt = 0;
  const starts: number[] = [];
  const clock: Clock = {
    now: () => now,
    async sleep(delayMs) {
      now += delayMs;
      if (now >= ms) stopping.abort();
    },
  };
  const process = {
    name: 'master',
    pid: () => (now < endsAt ? 1 : null),
    async start() {
      starts.push(now);
      endsAt = now + (more.runsMs ?? 0);
      if (!more.runsMs) throw new Error('it does not start');
    },
  };
  const isWanted = more.isWanted ?? (() => true);
  await watch([process], { clock, log: silentLog, isWanted, signal: stopping.signal });
  return starts;
}

test('what does not stay is started again after longer and longer pauses, half a minute at most', async () => {
  const starts = await startsWithin(200_000);
  const pauses = starts.slice(1).map((at, index) => at - starts[index]! - 500);
  assert.deepEqual(pauses.slice(0, 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(starts[0], 500);
});

test('what ran for long is started again at once', async () => {
  const starts = await startsWithin(300_000, { runsMs: 70_000 });
  assert.deepEqual(starts, [500, 70_500, 140_500, 210_500, 280_500]);
});

test('what somebody stopped stays so', async () => {
  assert.deepEqual(await startsWithin(100_000, { isWanted: () => false }), []);
});
