// Every stage in a process of its own; each killed again and again under load.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { seededRandom } from '../../src/lib/random.ts';
import { settled, verified } from '../support/settled.ts';
import { newSystem, type Program, until } from '../support/system.ts';

const STAGES = ['capture', 'enrichment', 'loader', 'metrics', 'publisher', 'dashboard', 'generator'];
const ROUNDS = 3;
/** Between two kills. */
const PAUSE_MS = [100, 900] as const;

test('each process killed alone, it goes on by itself and counts every sale once', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const random = seededRandom('one by one');
  const programs = new Map<string, Program>();
  const start = (name: string) => {
    const args = name === 'postgres' ? ['postgres'] : ['run', name, '--rate', '200'];
    programs.set(name, system.start(...args));
  };
  const running = () => [...programs.values()];
  const databases = () => (serverOf(system.dataDir) === programs.get('postgres')!.pid ? true : null);
  const pageOf = async (since: number) =>
    ((await system.health())?.newest_committed_at ?? 0) > since ? Date.now() - since : null;

  start('postgres');
  await until('PostgreSQL is there', databases, { programs: running() });
  for (const name of STAGES) start(name);
  await until('a first number', () => pageOf(0), { programs: running() });

  let kills = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (const name of shuffled(['postgres', ...STAGES], random)) {
      await sleep(random.int(...PAUSE_MS));
      const program = programs.get(name)!;
      // A stage that starts while there is no PostgreSQL says so and ends; whoever started it starts it again.
      const endedByItself = !program.isRunning() && !/no embedded PostgreSQL runs/.test(program.said());
      assert.ok(!endedByItself, `${name} ended by itself:\n${program.said()}`);
      await program.kill();
      kills += 1;
      start(name);
    }
  }
  await until('PostgreSQL is back', databases, { programs: [programs.get('postgres')!] });
  for (const [name, program] of programs) if (!program.isRunning()) start(name);
  const since = Date.now();
  const ms = await until('a new number after the last kill', () => pageOf(since), { programs: running() });

  const { code } = await programs.get('generator')!.stop();
  assert.equal(code, 0, programs.get('generator')!.said());
  programs.delete('generator');
  const { sales } = await settled(system, running());
  await verified(system);
  assert.ok(sales > 500, `only ${sales} sales: no load`);
  t.diagnostic(`${kills} kills, ${sales} sales; last kill → new number ${ms} ms`);

  for (const name of [...STAGES.filter((name) => name !== 'generator'), 'postgres']) {
    const program = programs.get(name)!;
    const stopped = await program.stop();
    programs.delete(name);
    assert.equal(stopped.code, 0, `${name}:\n${program.said()}`);
    assert.ok(stopped.ms < 10_000, `${name} took ${stopped.ms} ms to stop`);
  }
});

const shuffled = (names: string[], random: { next(): number }): string[] =>
  names
    .map((name) => [random.next(), name] as const)
    .sort(([one], [other]) => one - other)
    .map(([, name]) => name);

/** The process that runs the folder's PostgreSQL. */
function serverOf(dataDir: string): number | null {
  try {
    return JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')).pid;
  } catch {
    return null;
  }
}
