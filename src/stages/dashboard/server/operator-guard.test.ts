import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { API, type LiveSession } from '../../../contracts/live.ts';
import { serve } from '../testing/serve.ts';
import { isLoopback, refusal } from './operator-guard.ts';

test('this machine’s addresses, and no others', () => {
  for (const host of ['localhost', '127.0.0.1', '127.4.5.6', '::1']) assert.ok(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '192.168.1.4', 'localhost.example', '127.0.0.1.example', '']) {
    assert.ok(!isLoopback(host), host);
  }
});

const local: LiveSession = { name: null, role: 'operator', merchant: null };
const signedIn: LiveSession = { name: 'ana', role: 'operator', merchant: null };

test('without a sign-in only the page itself, at this machine, may have something done', () => {
  const host = 'localhost:8501';
  assert.equal(refusal(local, { host }), null, 'a command such as curl');
  assert.equal(refusal(local, { host: '[::1]:8501' }), null);
  assert.equal(
    refusal(local, { host, origin: 'http://localhost:8501', 'sec-fetch-site': 'same-origin' }),
    null,
  );
  assert.match(refusal(local, { host: 'evil.example:8501' })!, /not evil.example/);
  assert.match(refusal(local, {})!, /localhost/);
});

test('a signed-in operator may under any name, a viewer never, and another site’s page for nobody', () => {
  const host = 'shop.example';
  assert.equal(refusal(signedIn, { host, origin: 'https://shop.example' }), null);
  assert.match(refusal({ ...signedIn, role: 'viewer' }, { host })!, /operators/);
  for (const who of [local, signedIn]) {
    const at = who === local ? 'localhost:8501' : host;
    for (const site of ['cross-site', 'same-site']) {
      assert.match(refusal(who, { host: at, 'sec-fetch-site': site })!, /Another site/);
    }
    for (const origin of ['http://evil.example', 'http://localhost:8502', 'null']) {
      assert.match(refusal(who, { host: at, origin })!, /Another site/);
    }
  }
});

test('what is refused has no effect', async () => {
  let done = 0;
  const count = async () => {
    done++;
    throw new Error('never');
  };
  await using served = await serve({ operations: { verify: count, replay: count } });
  for (const path of [API.reconciliation, API.replay]) {
    const status = await new Promise((resolve, reject) => {
      const headers = { host: 'evil.example', origin: 'http://evil.example' };
      request(served.url + path, { method: 'POST', headers }, ({ statusCode }) => resolve(statusCode))
        .on('error', reject)
        .end();
    });
    assert.equal(status, 403);
  }
  const { state } = (await (await fetch(served.url + API.reconciliation)).json()) as { state: string };
  assert.equal(state, 'off');
  assert.equal(done, 0);
});
