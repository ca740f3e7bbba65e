import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { UserError } from '../../../../lib/errors.ts';
import { silentLog } from '../../../../lib/log.ts';
import { fakeUser, PASSWORD } from '../../testing/fake-users.ts';
import { hashPassword, isPassword, PASSWORD_HASH } from './password.ts';
import { readUsers, usersOf, writeUsers } from './users.ts';

let dir: string;
before(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-users-'));
});
after(() => rmSync(dir, { recursive: true, force: true }));

test('a password is kept as a hash with a salt of its own, which takes that password alone', async () => {
  const [one, two] = [await hashPassword(PASSWORD), await hashPassword(PASSWORD)];
  assert.match(one, PASSWORD_HASH);
  assert.ok(one.startsWith('scrypt$32768$8$3$'), 'as dear as OWASP asks for');
  assert.notEqual(one, two);
  assert.ok(!one.includes(PASSWORD));
  assert.equal(await isPassword(PASSWORD, one), true);
  for (const wrong of ['', `${PASSWORD} `, PASSWORD.toUpperCase()]) {
    assert.equal(await isPassword(wrong, one), false, wrong);
  }
});

test('the letters of a password are the same however they were composed', async () => {
  const kept = await hashPassword('contrase\u00f1a larga');
  assert.equal(await isPassword('contrasen\u0303a larga', kept), true);
});

test('the file is its owner’s alone, and one that others can read is refused', async () => {
  const path = join(dir, 'mode.json');
  assert.deepEqual(readUsers(path), []);
  const users = [await fakeUser('ana', 'operator'), await fakeUser('luna', 'viewer', 7)];
  writeUsers(path, users);
  writeUsers(path, users);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.ok(!readFileSync(path, 'utf8').includes(PASSWORD));
  assert.deepEqual(readUsers(path), users);
  chmodSync(path, 0o640);
  assert.throws(
    () => readUsers(path),
    (error) => error instanceof UserError && /chmod 600/.test(error.remedy),
  );
});

test('what is wrong with a file is said, without what stands in it', async () => {
  const path = join(dir, 'wrong.json');
  const ana = await fakeUser('ana');
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['{"users": secret-thing', /is no JSON$/],
    [JSON.stringify({ users: [{ ...ana, role: 'admin' }] }), /users\.0\.role/],
    [JSON.stringify({ users: [{ ...ana, password: 'secret-thing' }] }), /users\.0\.password/],
    [JSON.stringify({ users: [ana, ana] }), /one name/],
    [JSON.stringify({ users: [{ ...ana, role: 'operator', merchant: 1 }] }), /whole shop/],
    [JSON.stringify({ users: [{ ...ana, name: 'a\nb' }] }), /users\.0\.name/],
  ];
  for (const [text, why] of wrong) {
    writeFileSync(path, text, { mode: 0o600 });
    assert.throws(
      () => readUsers(path),
      (error) =>
        error instanceof UserError && why.test(error.message) && !error.message.includes('secret-thing'),
      text,
    );
  }
});

test('a file that changes is read anew; one that goes wrong changes nothing', async () => {
  const path = join(dir, 'changing.json');
  let now = 1_000_000;
  const clock = { now: () => now, sleep: async () => {} };
  const told: string[] = [];
  const users = usersOf(path, clock, { ...silentLog, error: (message) => told.push(message) });
  const names = () => {
    now += 2_000;
    return users.current().map(({ name }) => name);
  };
  assert.deepEqual(names(), []);
  writeUsers(path, [await fakeUser('ana'), await fakeUser('luna')]);
  assert.deepEqual(names(), ['ana', 'luna']);
  writeFileSync(path, 'rubbish');
  utimesSync(path, 1, 1);
  assert.deepEqual([names(), names()].flat(), ['ana', 'luna', 'ana', 'luna']);
  assert.equal(told.length, 1);
  writeUsers(path, [await fakeUser('luna')]);
  assert.deepEqual(names(), ['luna']);
  rmSync(path);
  assert.deepEqual(names(), []);
});
