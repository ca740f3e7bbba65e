import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../../test/support/manual-clock.ts';
import { API } from '../../../contracts/live.ts';
import type { LiveReconciliation } from '../../../contracts/reconciliation.ts';
import { silentLog } from '../../../lib/log.ts';
import { fakeReport } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';
import { type Operations, reconciler } from './reconciliation.ts';

const MINUTE_MS = 60_000;

/** Comparisons that end when they are told to. */
function fakeOperations(now: () => number) {
  const started: number[] = [];
  let end = Promise.withResolvers<Error | null>();
  const operations: Operations = {
    async verify() {
      started.push(now());
      const error = await end.promise;
      end = Promise.withResolvers();
      if (error !== null) throw error;
      return fakeReport(now());
    },
    replay: async () => ({ replayed: 2, before: 1, not_replayable: 0 }),
  };
  return { operations, started, end: (error: Error | null = null) => end.resolve(error) };
}

test('it compares a while after the start, then when it is time, and seldom where it takes long', async () => {
  const clock = new ManualClock();
  const { operations, started, end } = fakeOperations(() => clock.now());
  const one = reconciler({ operations, everyMs: 15 * MINUTE_MS, clock, log: silentLog });
  const stop = new AbortController();
  const run = one.run(stop.signal);
  const start = clock.now();
  assert.deepEqual(one.current(), { state: 'waiting', message: null, last: null });
  await clock.advance(59_000);
  assert.equal(started.length, 0);
  await clock.advance(2_000);
  assert.equal(started.length, 1);
  assert.equal(one.current().state, 'running');
  assert.equal(one.request(), false, 'one at a time');
  await clock.advance(2 * MINUTE_MS);
  end();
  await clock.advance(1_000);
  assert.equal(one.current().state, 'waiting');
  assert.equal(one.current().last?.verdict, 'agree');
  // Two minutes are a twentieth of forty.
  await clock.advance(38 * MINUTE_MS);
  assert.equal(started.length, 1);
  await clock.advance(4 * MINUTE_MS);
  assert.equal(started.length, 2);
  assert.ok(started[1]! - start > 40 * MINUTE_MS);
  end(new Error('the shop is away'));
  await clock.advance(1_000);
  assert.equal(one.current().state, 'unavailable');
  assert.equal(one.current().message, 'the shop is away');
  assert.equal(one.current().last?.verdict, 'agree', 'what was found before stays');
  assert.equal(one.request(), true);
  await clock.advance(2_000);
  assert.equal(started.length, 3);
  end();
  await clock.advance(1_000);
  assert.equal(one.current().message, null);
  stop.abort();
  await run;
});

test('a page without operations says so; one with them has them done', async () => {
  const post = async (url: string, path: string) => {
    const response = await fetch(`${url}${path}`, { method: 'POST' });
    return { status: response.status, body: await response.json() };
  };
  {
    await using served = await serve();
    const { status, body } = await post(served.url, API.reconciliation);
    assert.equal(status, 200);
    assert.deepEqual(body, { state: 'unavailable', message: null, last: null });
    assert.equal((await post(served.url, API.replay)).status, 503);
  }
  const { operations, started, end } = fakeOperations(Date.now);
  await using served = await serve({ operations });
  assert.equal((await post(served.url, API.reconciliation)).status, 202);
  const until = Date.now() + 5_000;
  while (started.length === 0 && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 20));
  end();
  const replay = await post(served.url, API.replay);
  assert.deepEqual(replay.body, { replayed: 2, before: 1, not_replayable: 0 });
  const said = (await (await fetch(`${served.url}${API.reconciliation}`)).json()) as LiveReconciliation;
  assert.equal(said.last?.verdict, 'agree');
});
