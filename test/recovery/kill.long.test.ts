// kill -9 of everything, again and again, under load.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/lib/random.ts';
import { settled, verified } from '../support/settled.ts';
import { killAll, newSystem, type Program, type System, until } from '../support/system.ts';

const KILLS = 30;
/** Half of the kills come while it starts: so long after its start. */
const STARTING_MS = [100, 1_600] as const;
/** The others come under load: so long after its first new number. */
const LOADED_MS = [0, 900] as const;

test('killed at 30 moments, it goes on by itself and counts every sale once', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const random = seededRandom('kill -9');
  const recoveries: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const program = system.start('run', '--rate', '300');
    const loaded = random.next() < 0.5;
    if (loaded) recoveries.push(await firstNumber(system, program));
    const [least, most] = loaded ? LOADED_MS : STARTING_MS;
    await sleep(random.int(least, most));
    assert.ok(program.isRunning(), `ended by itself before kill ${kill}:\n${program.said()}`);
    // In half of the cases the machine goes as a whole, in the others PostgreSQL is left behind for a moment.
    const everything = random.next() < 0.5;
    if (everything) killAll(system.postgres());
    await program.kill();
  }
  const program = system.start('run', '--generator', 'off');
  const { sales } = await settled(system, [program]);
  await verified(system);
  assert.ok(sales > 1_000, `only ${sales} sales: no load`);
  recoveries.sort((a, b) => a - b);
  t.diagnostic(`${sales} sales; start → first new number: ${recoveries.join(', ')} ms`);
  const { code, ms } = await program.stop();
  assert.equal(code, 0, program.said());
  assert.ok(ms < 10_000);
});

/** How long after its start the page showed something that was committed after it. */
const firstNumber = (system: System, program: Program): Promise<number> =>
  until(
    'a new number',
    async () => {
      const at = (await system.health())?.newest_committed_at ?? 0;
      return at > program.startedAt ? Date.now() - program.startedAt : null;
    },
    { programs: [program] },
  );
