// Stopped cleanly and started again; PostgreSQL restarted under it.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type LiveSnapshot, liveKey } from '../../src/contracts/live.ts';
import { settled, verified } from '../support/settled.ts';
import { newSystem, type Program, until } from '../support/system.ts';

const STOP_MS_MAX = 10_000;

test('a clean stop ends within 10 s with code 0, and a restart changes no number', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const stops: number[] = [];
  const stop = async (program: Program, signal: NodeJS.Signals) => {
    const { code, ms } = await program.stop(signal);
    assert.equal(code, 0, program.said());
    assert.ok(ms < STOP_MS_MAX, `${ms} ms to stop`);
    assert.deepEqual(system.postgres(), [], 'PostgreSQL was left behind');
    stops.push(ms);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const program = system.start('run', '--rate', '300');
    await until('numbers', async () => ((await system.health())?.newest_committed_at ? true : null), {
      programs: [program],
    });
    await sleep(2_500);
    await stop(program, signal);
  }
  const seen: { readonly sales: number; readonly page: ReadonlyMap<string, unknown> }[] = [];
  for (let run = 0; run < 2; run++) {
    const program = system.start('run', '--generator', 'off');
    const { sales } = await settled(system, [program]);
    seen.push({ sales, page: figures((await system.snapshot())!) });
    await stop(program, 'SIGTERM');
  }
  assert.ok(seen[0]!.sales > 500, `only ${seen[0]!.sales} sales: no load`);
  assert.deepEqual(seen[1], seen[0]);
  t.diagnostic(`${seen[0]!.sales} sales; time to stop: ${stops.join(', ')} ms`);
});

/** The figures of every window on the page, without what time alone changes. */
const figures = ({ values }: LiveSnapshot): ReadonlyMap<string, unknown> =>
  new Map(
    values
      .map((value) => [liveKey(value), value.values] as const)
      .sort(([one], [other]) => (one < other ? -1 : 1)),
  );

/** The process id of the server that runs now; null while there is none but the one that was stopped. */
function postmaster(dataDir: string, stopped: number): number | null {
  const file = join(dataDir, 'postgres', 'data', 'postmaster.pid');
  const pid = existsSync(file) ? Number.parseInt(readFileSync(file, 'utf8'), 10) : 0;
  return pid > 0 && pid !== stopped ? pid : null;
}

test('PostgreSQL stopped at once under load: it goes on by itself', async (t) => {
  const system = await newSystem();
  t.after(() => system.remove());
  const program = system.start('run', '--generator', 'off');
  const number = (since: number, programs: readonly Program[]) =>
    until(
      'a new number',
      async () => (((await system.health())?.newest_committed_at ?? 0) > since ? Date.now() - since : null),
      { programs },
    );
  await until('the page', async () => ((await system.health()) ? true : null), { programs: [program] });
  const generator = system.start('run', 'generator', '--rate', '300');
  const programs = [program, generator];
  await number(0, programs);
  const gaps: number[] = [];
  let stopped = 0;
  for (const signal of ['SIGQUIT', 'SIGKILL', 'SIGINT', 'SIGQUIT'] as const) {
    await sleep(1_000);
    const running = await until('another server', async () => postmaster(system.dataDir, stopped), {
      programs,
    });
    stopped = running;
    process.kill(running, signal);
    gaps.push(await number(Date.now(), programs));
  }
  // Exact while everything runs.
  await verified(system);
  assert.equal((await generator.stop()).code, 0, generator.said());
  const { sales } = await settled(system, [program]);
  assert.ok(sales > 500, `only ${sales} sales: no load`);
  t.diagnostic(`${sales} sales; PostgreSQL stopped → new number: ${gaps.join(', ')} ms`);
});
