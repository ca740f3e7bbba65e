// The log's disk full, and room made again.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { settled, verified } from '../support/settled.ts';
import { newSystem, until } from '../support/system.ts';

const SIZE = '10m';

const mount = (...args: string[]): string | null => {
  const { status, error, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
  return status === 0 ? null : (error?.message ?? stderr.trim());
};

test('a full disk under the log is said, waited out, and costs nothing', async (t) => {
  const system = await newSystem();
  const dir = join(system.dataDir, 'log');
  mkdirSync(dir);
  const refused = mount('-t', 'tmpfs', '-o', `size=${SIZE}`, 'tmpfs', dir);
  t.after(async () => {
    if (refused === null) spawnSync('umount', ['-l', dir]);
    await system.remove();
  });
  if (refused !== null) return t.skip(`cannot mount a small disk (root can): ${refused}`);

  const program = system.start('run', '--generator', 'off');
  await until('the page', async () => ((await system.health()) ? true : null), { programs: [program] });
  const generator = system.start('run', 'generator', '--rate', '300');
  const programs = [program, generator];
  await until('the disk is full', () => (/a passing fault/.test(program.said()) ? true : null), { programs });
  const problems = await until(
    'the page says so',
    async () => {
      const health = await system.health();
      return health?.status === 'unwell' ? health.problems : null;
    },
    { programs },
  );
  await sleep(1_000);
  assert.match(program.said(), /full|no space/i, 'it does not say why');

  assert.equal(mount('-o', 'remount,size=1g', dir), null);
  const since = Date.now();
  const ms = await until(
    'a new number',
    async () => (((await system.health())?.newest_committed_at ?? 0) > since ? Date.now() - since : null),
    { programs },
  );
  assert.equal((await generator.stop()).code, 0, generator.said());
  const { sales } = await settled(system, [program]);
  await verified(system);
  const said = problems.map(({ stage, problem }) => `${stage} ${problem}`).join(', ');
  t.diagnostic(`${sales} sales; room again → new number ${ms} ms; the page said: ${said}`);
});
