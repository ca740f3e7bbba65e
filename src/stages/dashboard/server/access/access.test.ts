import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  API,
  HEARTBEAT_MS,
  type LiveError,
  type LiveHealth,
  type LiveSession,
} from '../../../../contracts/live.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { UserError } from '../../../../lib/errors.ts';
import { aheadClock } from '../../testing/ahead-clock.ts';
import { shopHealth } from '../../testing/fake-shop.ts';
import { cookieOf, fakeUser, fakeUsers, PASSWORD, signIn } from '../../testing/fake-users.ts';
import { serve } from '../../testing/serve.ts';
import { IDLE_MS_MAX } from './sessions.ts';

const { session, stream, health, ...READ } = API;
const statusOf = async (url: string, headers: Record<string, string> = {}, method = 'GET') =>
  (await fetch(url, { headers, method, signal: AbortSignal.timeout(5_000) })).status;
const errorOf = async (response: Response) => ((await response.json()) as LiveError).error;

test('at this machine and without users nobody signs in, and everybody may do everything', async () => {
  await using served = await serve();
  const who = (await (await fetch(served.url + session)).json()) as LiveSession;
  assert.deepEqual(who, { name: null, role: 'operator', merchant: null });
  assert.equal(await statusOf(served.url + READ.alerts), 200);
  assert.equal(await statusOf(`${served.url}/metrics`), 200);
  assert.equal(await statusOf(served.url + READ.reconciliation, {}, 'POST'), 200);
});

test('a page that others can reach does not start without users', async () => {
  const refused = (remedy: RegExp) => (error: unknown) =>
    error instanceof UserError && remedy.test(error.remedy);
  await assert.rejects(serve({ host: '0.0.0.0' }), refused(/users add .*--dashboard-host/));
  await assert.rejects(serve({ trustedProxies: ['127.0.0.1'] }), refused(/users add/));
  const users = await fakeUsers();
  await using served = await serve({ host: '0.0.0.0', users });
  assert.equal(await statusOf(served.url + READ.snapshot), 401);
  // Nobody is left who could sign in: it does not open itself.
  users.all = [];
  assert.equal(await statusOf(served.url + READ.snapshot), 401);
});

test('whoever has not signed in gets the page, where one signs in, and whether it is well: nothing else', async () => {
  await using served = await serve({ users: await fakeUsers() });
  await served.store.writeHealth(shopHealth(Date.now()));
  for (const path of [...Object.values(READ), stream, session, '/metrics', '/nowhere']) {
    const response = await fetch(served.url + path);
    assert.equal(response.status, 401, path);
    assert.equal(await errorOf(response), 'sign_in', path);
  }
  for (const path of [READ.reconciliation, READ.replay]) {
    assert.equal(await statusOf(served.url + path, {}, 'POST'), 401, path);
  }
  const well = await fetch(served.url + health);
  assert.deepEqual(Object.keys((await well.json()) as LiveHealth), ['status', 'server_time']);
  assert.notEqual(await statusOf(`${served.url}/`), 401);
});

test('a viewer reads everything, an operator may also do it, and each is told who they are', async () => {
  await using served = await serve({ users: await fakeUsers() });
  await served.store.writeHealth(shopHealth(Date.now()));
  for (const name of ['Vera', 'Olga']) {
    const cookie = await cookieOf(served.url, name);
    for (const path of ['snapshot', 'history', 'people', 'alerts', 'reconciliation', 'feed'] as const) {
      assert.equal(await statusOf(served.url + API[path], cookie), 200, `${name} ${path}`);
    }
    assert.equal(await statusOf(`${served.url}/metrics`, cookie), 200);
    const all = (await (await fetch(served.url + health, { headers: cookie })).json()) as LiveHealth;
    assert.ok(all.stages.length > 1);
    const who = (await (await fetch(served.url + session, { headers: cookie })).json()) as LiveSession;
    assert.equal(who.name, name);
    const allowed = name === 'Olga' ? 200 : 403;
    assert.equal(await statusOf(served.url + READ.reconciliation, cookie, 'POST'), allowed, name);
  }
});

test('no script and no other site reaches the cookie, and it is for https where a trusted proxy says so', async () => {
  const users = await fakeUsers();
  await using served = await serve({ users });
  const set = async (url: string, headers = {}) =>
    (await signIn(url, 'Vera', PASSWORD, headers)).headers.get('set-cookie')!;
  assert.match(await set(served.url), /^instashop_session=[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict$/);
  const https = { 'x-forwarded-proto': 'https' };
  assert.doesNotMatch(await set(served.url, https), /Secure/);
  await using proxied = await serve({ users, trustedProxies: ['127.0.0.1'] });
  assert.match(await set(proxied.url, https), /SameSite=Strict; Secure$/);
  assert.doesNotMatch(await set(proxied.url), /Secure/);
});

test('a wrong password and an unknown name get the same answer', async () => {
  await using served = await serve({ users: await fakeUsers() });
  const answers = await Promise.all(
    [
      ['Vera', 'wrong password'],
      ['Nobody', PASSWORD],
      ['Vera', ''],
      ['', ''],
      ['Vera', 'x'.repeat(3_000)],
    ].map(async ([name, password]) => {
      const response = await signIn(served.url, name!, password);
      assert.equal(response.headers.get('set-cookie'), null);
      return [response.status, await response.text()];
    }),
  );
  assert.equal(answers[0]![0], 401);
  for (const answer of answers) assert.deepEqual(answer, answers[0]);
  for (const body of ['{}', '{"name":1,"password":2}', 'null', '[]', 'rubbish']) {
    const headers = { 'content-type': 'application/json' };
    const { status } = await fetch(served.url + session, { method: 'POST', headers, body });
    assert.equal(status, 400, body);
  }
});

test('another site’s page can neither sign in nor out', async () => {
  await using served = await serve({ users: await fakeUsers() });
  const cookie = await cookieOf(served.url, 'Vera');
  for (const from of [{ 'sec-fetch-site': 'cross-site' }, { origin: 'http://evil.example' }]) {
    assert.equal((await signIn(served.url, 'Vera', PASSWORD, from)).status, 403);
    assert.equal(await statusOf(served.url + session, { ...cookie, ...from }, 'DELETE'), 403);
  }
  assert.equal(await statusOf(served.url + session, cookie), 200);
});

test('a session ends by signing out, by the clock, and with a new sign-in; a made-up one never was', async () => {
  const { clock, pass } = aheadClock();
  await using served = await serve({ users: await fakeUsers(), clock });
  const isIn = async (cookie: Record<string, string>) =>
    (await statusOf(served.url + READ.snapshot, cookie)) === 200;
  const first = await cookieOf(served.url, 'Vera');
  assert.ok(await isIn(first));
  assert.equal(await statusOf(served.url + session, first, 'DELETE'), 204);
  assert.ok(!(await isIn(first)));
  const second = await cookieOf(served.url, 'Vera');
  await signIn(served.url, 'Olga', PASSWORD, second);
  assert.ok(!(await isIn(second)));
  const third = await cookieOf(served.url, 'Vera');
  pass(IDLE_MS_MAX + 1);
  assert.ok(!(await isIn(third)));
  assert.ok(!(await isIn({ cookie: `instashop_session=${'A'.repeat(43)}` })));
  assert.ok(!(await isIn({ cookie: 'instashop_session=' })));
});

test('who tries too often to sign in has to wait, by address and by name, also with the right password', async () => {
  const { clock, pass } = aheadClock();
  await using served = await serve({
    users: await fakeUsers(),
    clock,
    trustedProxies: ['127.0.0.1'],
  });
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (let tries = 0; tries < 10; tries++) await signIn(served.url, `n${tries}`, 'wrong', from('10.0.0.1'));
  const refused = await signIn(served.url, 'Vera', PASSWORD, from('10.0.0.1'));
  assert.equal(refused.status, 429);
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(await errorOf(refused), 'too_many_requests');
  assert.equal((await signIn(served.url, 'Vera', PASSWORD, from('10.0.0.2'))).status, 200);
  for (let tries = 0; tries < 20; tries++) {
    await signIn(served.url, 'Olga', 'wrong', from(`10.0.1.${tries}`));
  }
  assert.equal((await signIn(served.url, 'Olga', PASSWORD, from('10.0.0.2'))).status, 429);
  pass(60_000);
  assert.equal((await signIn(served.url, 'Olga', PASSWORD, from('10.0.0.2'))).status, 200);
  // What was right costs nothing.
  for (let times = 0; times < 25; times++) {
    assert.equal((await signIn(served.url, 'Vera', PASSWORD, from('10.0.0.3'))).status, 200);
  }
});

test('a machine sends name and password with each request, and is judged like everybody', async () => {
  await using served = await serve({ users: await fakeUsers() });
  const basic = (name: string, password = PASSWORD) => ({
    authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
  });
  assert.equal(await statusOf(`${served.url}/metrics`, basic('Vera')), 200);
  assert.equal(await statusOf(`${served.url}/metrics`, basic('Luna')), 403);
  for (let tries = 0; tries < 10; tries++) {
    assert.equal(await statusOf(`${served.url}/metrics`, basic('Vera', 'wrong')), 401);
  }
  assert.equal(await statusOf(`${served.url}/metrics`, basic('Vera')), 429);
});

test('requests of one address are bounded while one must sign in, and only then', async () => {
  await using served = await serve({ users: await fakeUsers(), requestsPerSecond: 2 });
  const answers = await Promise.all(Array.from({ length: 14 }, () => fetch(served.url + health)));
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(refused.length >= 2 && refused.length <= 5, `${refused.length} of 14 were refused`);
  assert.equal(refused[0]!.headers.get('retry-after'), '1');
  assert.match(((await refused[0]!.json()) as LiveError).message, /Too many requests/);
  await using open = await serve({ requestsPerSecond: 2 });
  const all = await Promise.all(Array.from({ length: 50 }, () => statusOf(open.url + health)));
  assert.ok(!all.includes(429));
});

test('streams are bounded by address and by user, and end with what they stand on', async () => {
  const users = await fakeUsers();
  let waiting: (() => void)[] = [];
  const beat = (): void => {
    const all = waiting;
    waiting = [];
    for (const go of all) go();
  };
  const clock = {
    now: systemClock.now,
    // Heartbeats come when the test says so.
    async sleep(ms: number, signal?: AbortSignal) {
      if (ms !== HEARTBEAT_MS) return systemClock.sleep(ms, signal);
      const { promise, resolve } = Promise.withResolvers<void>();
      waiting.push(resolve);
      signal?.addEventListener('abort', () => resolve());
      return promise;
    },
  };
  await using served = await serve({ users, clock, perAddressMax: 3, perUserMax: 2 });
  const vera = await cookieOf(served.url, 'Vera');
  const olga = await cookieOf(served.url, 'Olga');
  const open = (headers: { readonly cookie: string }) => fetch(served.url + stream, { headers });
  const first = await open(vera);
  await open(vera);
  const third = await open(vera);
  assert.equal(third.status, 429);
  assert.match(((await third.json()) as LiveError).message, /by this user/);
  assert.equal(third.headers.get('retry-after'), '5');
  const ofOlga = await open(olga);
  assert.equal(ofOlga.status, 200);
  const fourth = await open(olga);
  assert.equal(fourth.status, 429);
  assert.match(((await fourth.json()) as LiveError).message, /from this address/);

  const ended = async (response: Response) => {
    const reader = response.body!.getReader();
    const deadline = systemClock.sleep(2_000).then(() => 'goes on');
    const read = async () => {
      try {
        while (!(await reader.read()).done);
      } catch {
        // As a connection that is cut ends.
      }
      return 'ended';
    };
    return Promise.race([read(), deadline]);
  };
  await fetch(served.url + session, { method: 'DELETE', headers: vera });
  beat();
  assert.equal(await ended(first), 'ended');
  users.all = [await fakeUser('Vera')];
  beat();
  assert.equal(await ended(ofOlga), 'ended');
});

test('without users no address has limits: 500 pages of this machine are kept up to date', async () => {
  await using served = await serve({ requestsPerSecond: 1, perAddressMax: 1, perUserMax: 1 });
  const stop = new AbortController();
  const pages = Array.from({ length: 500 }, () => fetch(served.url + stream, { signal: stop.signal }));
  const statuses = (await Promise.all(pages)).map(({ status }) => status);
  stop.abort();
  assert.deepEqual(new Set(statuses), new Set([200]));
});

test('no page of another site may hold it, load it or be reached from it', async () => {
  await using served = await serve({ users: await fakeUsers() });
  for (const path of ['/', READ.snapshot, session]) {
    const { headers } = await fetch(served.url + path);
    const policy = headers.get('content-security-policy') ?? '';
    for (const rule of [
      "default-src 'self'",
      "frame-ancestors 'none'",
      "form-action 'none'",
      "base-uri 'none'",
    ]) {
      assert.ok(policy.includes(rule), `${path}: ${rule}`);
    }
    assert.doesNotMatch(policy, /unsafe|https?:|data:|\*/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('cross-origin-resource-policy'), 'same-origin');
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
});
