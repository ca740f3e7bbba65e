// The users of the page as an operator makes them, and what a start looks at.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { isPassword } from '../stages/dashboard/server/access/password.ts';
import { readUsers } from '../stages/dashboard/server/access/users.ts';
import { usersCheck } from './checks/users.ts';
import { parseOptions } from './option.ts';
import { OPTIONS } from './options.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const SECRET = 'a longer password';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-users-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

function users(args: readonly string[], input = ''): { code: number | null; said: string } {
  const done = spawnSync(process.execPath, [MAIN, 'users', ...args, '--data-dir', dir], {
    input,
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { code: done.status, said: done.stdout + done.stderr };
}

test('users are added with a password from standard input, listed, replaced and removed', async () => {
  const file = join(dir, 'users.json');
  assert.match(users(['list']).said, /No users/);
  const added = users(['add', 'ana', '--role', 'operator'], `${SECRET}\n`);
  assert.equal(added.code, 0, added.said);
  assert.ok(!added.said.includes(SECRET));
  assert.equal(users(['add', 'Casa Luna', '--merchant', '7'], SECRET).code, 0);
  assert.equal(users(['list']).said, 'ana  operator\nCasa Luna  viewer  merchant 7\n');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!readFileSync(file, 'utf8').includes(SECRET));
  assert.equal(users(['add', 'ana'], 'another password').code, 0);
  const [luna, ana] = readUsers(file);
  assert.deepEqual([luna?.merchant, ana?.role], [7, 'viewer']);
  assert.equal(await isPassword(SECRET, luna!.password), true);
  assert.equal(await isPassword('another password', ana!.password), true);
  assert.equal(await isPassword(SECRET, ana!.password), false);
  assert.equal(users(['remove', 'ana']).code, 0);
  assert.equal(users(['list']).said, 'Casa Luna  viewer  merchant 7\n');
});

test('what cannot be a user is refused, with a remedy', () => {
  const before = users(['list']).said;
  for (const [args, input, remedy] of [
    [['add', 'bob'], 'short\n', /10 to 200/],
    [['add', 'bob'], '', /10 to 200/],
    [['add', 'bob', '--role', 'operator', '--merchant', '7'], SECRET, /--help/],
    [['add', 'b|b'], SECRET, /letters/],
    [['add'], SECRET, /users list/],
    [['remove', 'nobody'], '', /users list/],
    [['forget', 'ana'], '', /list, add or remove/],
  ] as const) {
    const { code, said } = users(args, input);
    assert.equal(code, 1, args.join(' '));
    assert.match(said, remedy, args.join(' '));
  }
  assert.equal(users(['list']).said, before);
});

test('a start is refused beyond this machine without users, and told what it lacks with them', async () => {
  const check = async (...args: string[]) => {
    const { values } = parseOptions(OPTIONS, args, {});
    const stages = ['dashboard'] as const;
    const context = { options: values, stages, startsPostgres: false, clock: systemClock, log: silentLog };
    return (await usersCheck(context)).map(({ severity, remedy }) => [severity, remedy] as const);
  };
  const none = ['--users', join(dir, 'none.json')];
  const some = ['--data-dir', dir];
  const beyond = ['--dashboard-host', '0.0.0.0'];
  assert.deepEqual(await check(...none), []);
  const [refused] = await check(...none, ...beyond);
  assert.equal(refused?.[0], 'error');
  assert.match(refused?.[1] ?? '', /users add .*--dashboard-host 127\.0\.0\.1/);
  assert.equal((await check(...none, '--trusted-proxies', '10.0.0.1'))[0]?.[0], 'error');
  const [open] = await check(...some, ...beyond);
  assert.equal(open?.[0], 'warning');
  assert.match(open?.[1] ?? '', /TLS/);
  assert.deepEqual(await check(...some, ...beyond, '--trusted-proxies', '10.0.0.1,::1'), []);
  const others = join(dir, 'others.json');
  writeFileSync(others, '{"users":[]}', { mode: 0o644 });
  assert.match((await check('--users', others))[0]?.[1] ?? '', /chmod 600/);
});
