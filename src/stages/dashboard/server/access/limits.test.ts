import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { test } from 'node:test';
import { fakeUser, fakeUsers } from '../../testing/fake-users.ts';
import { addressOf, isHttps } from './address.ts';
import { rateLimit } from './rate-limit.ts';
import { IDLE_MS_MAX, SESSION_MS_MAX, sessions } from './sessions.ts';

/** A clock that stands until it is moved. */
function stopped() {
  let now = 1_000_000;
  return {
    clock: { now: () => now, sleep: async () => {} },
    pass(ms: number) {
      now += ms;
    },
  };
}

test('a bucket is empty after its burst, says how long, and fills again', () => {
  const { clock, pass } = stopped();
  const limit = rateLimit({ perSecond: 0.5, burst: 3, clock });
  for (let count = 0; count < 3; count++) {
    assert.equal(limit.waitS('a'), 0);
    limit.take('a');
  }
  assert.equal(limit.waitS('a'), 2);
  assert.equal(limit.waitS('b'), 0, 'another has one of its own');
  pass(1_000);
  assert.equal(limit.waitS('a'), 1);
  pass(1_000);
  assert.equal(limit.waitS('a'), 0);
  limit.take('a');
  assert.equal(limit.waitS('a'), 2);
  limit.giveBack('a');
  assert.equal(limit.waitS('a'), 0);
  pass(-3_600_000);
  assert.equal(limit.waitS('a'), 0, 'a clock set back');
});

test('buckets are bounded: the one that was away longest goes', () => {
  const { clock } = stopped();
  const limit = rateLimit({ perSecond: 0.1, burst: 1, keysMax: 100, clock });
  for (let key = 0; key < 1_000; key++) limit.take(String(key));
  assert.equal(limit.size(), 100);
  assert.equal(limit.waitS('0'), 0);
  assert.ok(limit.waitS('999') > 0);
  limit.giveBack('999');
  assert.equal(limit.size(), 99, 'a full bucket is none');
});

test('a session ends when it is idle, old, ended, or its user is changed', async () => {
  const { clock, pass } = stopped();
  const users = await fakeUsers();
  const held = sessions(users, clock);
  const [vera] = users.all.filter(({ name }) => name === 'Vera');
  const nameOf = (id: string, isUse = true) => held.userOf(id, isUse)?.name ?? null;

  const idle = held.begin(vera!);
  assert.ok(idle.length >= 43, '32 bytes');
  assert.notEqual(held.begin(vera!), idle);
  pass(IDLE_MS_MAX);
  assert.equal(nameOf(idle, false), 'Vera');
  pass(1);
  assert.equal(nameOf(idle), null, 'who only looked did not use it');

  const used = held.begin(vera!);
  for (let passed = 0; passed <= SESSION_MS_MAX; passed += IDLE_MS_MAX) {
    assert.equal(nameOf(used), 'Vera');
    pass(IDLE_MS_MAX);
  }
  assert.equal(nameOf(used), null, 'it is too old');

  const ended = held.begin(vera!);
  held.end(ended);
  assert.equal(nameOf(ended), null);

  for (const changed of [{ role: 'operator' as const }, { merchant: 1 }, await fakeUser('Vera')]) {
    const id = held.begin(vera!);
    assert.equal(nameOf(id), 'Vera');
    const before = users.all;
    users.all = users.all.map((one) => (one.name === 'Vera' ? { ...one, ...changed } : one));
    assert.equal(nameOf(id), null, JSON.stringify(changed));
    users.all = before;
  }
  assert.equal(nameOf(''), null);
  assert.equal(nameOf('__proto__'), null);
});

test('sessions are bounded, in all and for one user: the one that was away longest ends', async () => {
  const { clock, pass } = stopped();
  const users = await fakeUsers();
  const [olga] = users.all;
  const held = sessions(users, clock);
  const first = held.begin(olga!);
  const second = held.begin(olga!);
  held.userOf(first, true);
  for (let count = 0; count < 19; count++) held.begin(olga!);
  assert.equal(held.userOf(second, true), null);
  assert.equal(held.userOf(first, true)?.name, 'Olga');
  assert.equal(held.size(), 20);
  const many = await Promise.all(Array.from({ length: 60 }, (_, index) => fakeUser(`u${index}`)));
  users.all = [...many, olga!];
  for (const user of many) for (let count = 0; count < 20; count++) held.begin(user);
  assert.equal(held.size(), 1_000);
  pass(IDLE_MS_MAX + 1);
  held.begin(olga!);
  assert.equal(held.size(), 1, 'those that are over are forgotten');
});

test('an address is the connection’s, or what a trusted proxy says last', () => {
  const request = (remoteAddress: string, headers: Record<string, string> = {}) =>
    ({ socket: { remoteAddress }, headers }) as unknown as IncomingMessage;
  const forwarded = { 'x-forwarded-for': '6.6.6.6, 10.0.0.9', 'x-forwarded-proto': 'https' };
  assert.equal(addressOf(request('::ffff:192.168.1.7'), []), '192.168.1.7');
  assert.equal(addressOf(request('127.0.0.1', forwarded), []), '127.0.0.1');
  assert.equal(addressOf(request('127.0.0.1', forwarded), ['127.0.0.1']), '10.0.0.9');
  assert.equal(addressOf(request('127.0.0.2', forwarded), ['127.0.0.1']), '127.0.0.2');
  assert.equal(
    addressOf(request('127.0.0.1', { 'x-forwarded-for': 'x'.repeat(9) }), ['127.0.0.1']),
    '127.0.0.1',
  );
  assert.equal(addressOf(request('2001:db8:1:2:3:4:5:6'), []), '2001:db8:1:2::/64');
  assert.equal(addressOf(request('2001:db8::6'), []), '2001:db8:0:0::/64');
  assert.equal(isHttps(request('127.0.0.1', forwarded), []), false);
  assert.equal(isHttps(request('127.0.0.1', forwarded), ['127.0.0.1']), true);
  assert.equal(isHttps(request('127.0.0.1'), ['127.0.0.1']), false);
});
