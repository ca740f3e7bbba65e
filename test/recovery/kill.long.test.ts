// kill -9 of everything, again and again, under load.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/lib/random.ts';
import { settled, verified } from '../support/settled.ts';
import { killAll, newSystem, type System } from '../support/system.ts';

const KILLS = 30;
/** Shortest and longest life of a run: from before its first connection to well under load. */
const LIFE_MS = [150, 3_000] as const;

test('killed at 30 moments, it goes on by itself and counts every sale once', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const random = seededRandom('kill -9');
  const recoveries: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const program = system.start('run', '--rate', '300');
    const lifeMs = random.int(...LIFE_MS);
    const first = firstNumber(system, program.startedAt, program.startedAt + lifeMs);
    await sleep(lifeMs);
    assert.ok(program.isRunning(), `ended by itself before kill ${kill}:\n${program.said()}`);
    // In half of the cases the machine goes as a whole, in the others PostgreSQL is left behind for a moment.
    const everything = random.next() < 0.5;
    if (everything) killAll(system.postgres());
    await program.kill();
    const ms = await first;
    if (ms !== null) recoveries.push(ms);
  }
  const program = system.start('run', '--generator', 'off');
  const { sales } = await settled(system, [program]);
  await verified(system);
  assert.ok(sales > 1_000, `only ${sales} sales: no load`);
  assert.ok(recoveries.length > 5, 'hardly a run lived long enough to show a number');
  recoveries.sort((a, b) => a - b);
  t.diagnostic(`${sales} sales; start → first new number: ${recoveries.join(', ')} ms`);
  const { code, ms } = await program.stop();
  assert.equal(code, 0, program.said());
  assert.ok(ms < 10_000);
});

/** How long after `since` the page showed something committed after it; null when not before `deadline`. */
async function firstNumber(system: System, since: number, deadline: number): Promise<number | null> {
  while (Date.now() < deadline) {
    const health = await system.health();
    if ((health?.newest_committed_at ?? 0) > since) return Date.now() - since;
    await sleep(20);
  }
  return null;
}
