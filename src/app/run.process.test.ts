// The whole system as a user starts it, on free ports and a folder of its own.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { LiveHealth } from '../contracts/live.ts';
import { systemClock } from '../lib/clock.ts';

const BIN = fileURLToPath(new URL('../../bin/instashop.js', import.meta.url));
const WAIT_MS = 40_000;

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-run-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

const ARGS = () => ['--data-dir', dir, '--postgres-port', '0', '--dashboard-port', '0'];

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  said(): string;
  stop(signal: NodeJS.Signals): Promise<{ readonly code: number | null; readonly ms: number }>;
}

/** Starts the system and resolves when its page is served. */
async function start(...more: string[]): Promise<Running> {
  const child = spawn(process.execPath, [BIN, 'run', ...ARGS(), ...more], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (output += chunk));
  const exited = once(child, 'exit');
  const until = systemClock.now() + WAIT_MS;
  let url: string | undefined;
  while (url === undefined) {
    url = /^Page +(\S+)$/m.exec(output)?.[1];
    assert.ok(child.exitCode === null && systemClock.now() < until, `no page: ${output}`);
    await systemClock.sleep(50);
  }
  return {
    child,
    url,
    said: () => output,
    async stop(signal) {
      const asked = systemClock.now();
      if (signal === 'SIGKILL') process.kill(-child.pid!, signal);
      else child.kill(signal);
      const [code] = await exited;
      return { code, ms: systemClock.now() - asked };
    },
  };
}

async function healthy(url: string, sales: number): Promise<LiveHealth> {
  const until = systemClock.now() + WAIT_MS;
  for (;;) {
    const health = (await (await fetch(`${url}/api/v1/health`)).json()) as LiveHealth;
    const loaded = health.stages.find(({ stage }) => stage === 'loader')?.processed ?? 0;
    if (health.status === 'ok' && loaded >= sales) return health;
    assert.ok(systemClock.now() < until, `not well: ${JSON.stringify(health)}`);
    await systemClock.sleep(100);
  }
}

const instashop = (...args: string[]) => spawnSync(process.execPath, [BIN, ...args], { encoding: 'utf8' });

test('it starts, keeps a second run out, survives kill -9, and stops when asked', async () => {
  const first = await start('--rate', '50');
  const health = await healthy(first.url, 100);
  assert.deepEqual(
    health.stages.map(({ stage, state }) => `${stage} ${state}`).sort(),
    ['capture', 'dashboard', 'enrichment', 'generator', 'loader', 'metrics', 'publisher'].map(
      (name) => `${name} running`,
    ),
  );

  const { password } = JSON.parse(readFileSync(join(dir, 'postgres.json'), 'utf8'));
  assert.equal(first.said().includes(password), false, 'the password is not printed');
  assert.equal(statSync(join(dir, 'postgres.json')).mode & 0o077, 0);
  assert.equal(statSync(join(dir, 'pgpass')).mode & 0o077, 0);

  const second = instashop('run', ...ARGS());
  assert.equal(second.status, 1);
  assert.match(second.stderr, /InstaShop Live runs already on .*, in process \d+/);
  const checked = instashop('check', '--data-dir', dir);
  assert.match(checked.stdout, /It runs already \(pid \d+\)/);
  assert.doesNotMatch(checked.stdout, /cannot listen/);
  assert.equal(instashop('reset', '--yes', '--data-dir', dir).status, 1, 'a running system is not removed');

  const status = instashop('status', '--json', '--data-dir', dir);
  assert.equal(status.status, 0, status.stderr);
  assert.equal(JSON.parse(status.stdout).status, 'ok');
  assert.ok(
    JSON.parse(status.stdout).topics.find(({ topic }: { topic: string }) => topic === 'transactions')
      .records > 0,
  );

  const verified = instashop('status', '--verify', '--json', '--data-dir', dir);
  assert.equal(verified.status, 0, verified.stdout + verified.stderr);

  await first.stop('SIGKILL');
  const again = await start('--rate', '50');
  await healthy(again.url, 100);
  const { code, ms } = await again.stop('SIGTERM');
  assert.equal(code, 0, again.said());
  assert.ok(ms < 10_000, `it took ${ms} ms to stop`);

  assert.match(instashop('dead-letters', 'list', '--data-dir', dir).stdout, /No dead letters/);
  const reset = instashop('reset', '--yes', '--data-dir', dir);
  assert.equal(reset.status, 0, reset.stderr);
  assert.match(reset.stdout, /\/postgres\n/);
});

test('what keeps it from running is said with what to do', () => {
  const refused = instashop('run', 'loader', '--data-dir', dir);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /no embedded PostgreSQL runs/);
  assert.match(refused.stderr, /instashop postgres/);
  assert.equal(refused.stderr.includes('    at '), false, 'no stack trace');
});
