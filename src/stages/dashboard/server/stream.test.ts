import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { API, liveKey, STALE_AFTER_MS } from '../../../contracts/live.ts';
import { WINDOW_MS } from '../../../contracts/metrics.ts';
import { systemClock } from '../../../lib/clock.ts';
import { shopHealth, shopWindow, shopWindows } from '../testing/fake-shop.ts';
import { serve } from '../testing/serve.ts';
import { sseViewer } from '../testing/sse-client.ts';

const START = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS;
/** The open window as it stands after that many milliseconds. */
const openAt = (afterMs: number) => shopWindow(START, START + afterMs);

test('first a snapshot, then only what changed, with rising ids and the times to compute the age from', async () => {
  await using served = await serve();
  await served.store.write(shopWindows(START, 5));
  using viewer = await sseViewer(served.url);
  assert.match(viewer.headers['content-type'] ?? '', /^text\/event-stream/);
  assert.equal(viewer.headers['cache-control'], 'no-store');
  const snapshot = await viewer.next();
  assert.equal(snapshot.event, 'snapshot');
  assert.equal(snapshot.data.profile, 'embedded');
  const same = (await (await fetch(served.url + API.snapshot)).json()) as typeof snapshot.data;
  assert.deepEqual({ ...snapshot.data, server_time: 0 }, { ...same, server_time: 0 });

  const change = openAt(9_000).slice(0, 2);
  await served.store.write(change);
  const delta = await viewer.next();
  assert.equal(delta.event, 'change');
  assert.deepEqual(
    delta.data.values.map(liveKey),
    change.map((value) => liveKey(value as never)),
  );
  assert.equal(delta.data.newest_committed_at, START + 9_000);
  assert.ok(delta.data.server_time >= snapshot.data.server_time);
  const number = (id: string | null) => Number(id?.split('-')[1]);
  assert.ok(number(delta.id) > number(snapshot.id));

  await served.store.writeHealth(shopHealth(Date.now()).slice(0, 1));
  assert.deepEqual(
    (await viewer.next()).data.stages.map(({ stage }) => stage),
    ['generator'],
  );
});

test('a viewer that comes back gets what it missed; an id of another run gets a snapshot', async () => {
  await using served = await serve();
  await served.store.write(shopWindows(START, 5));
  const viewer = await sseViewer(served.url);
  const { id } = await viewer.next();
  viewer[Symbol.dispose]();
  await served.store.write(openAt(5_000));
  await systemClock.sleep(40);
  await served.store.write(openAt(12_000));
  await systemClock.sleep(40);

  using back = await sseViewer(served.url, id!);
  const missed = await back.next();
  assert.equal(missed.event, 'change');
  assert.deepEqual(
    missed.data.values.map((value) => value.values),
    ((await (await fetch(served.url + API.snapshot)).json()) as typeof missed.data).values
      .filter((value) => value.window_start === START)
      .map((value) => value.values),
  );

  for (const unknown of ['lxyz-1', `${id!.split('-')[0]}-999999`, 'rubbish']) {
    using reset = await sseViewer(served.url, unknown);
    assert.equal((await reset.next()).event, 'snapshot', unknown);
  }
});

test('bursts become one message, and a change after a pause leaves at once', async () => {
  await using served = await serve();
  using viewer = await sseViewer(served.url);
  await viewer.next();
  await systemClock.sleep(50);
  const startedAt = performance.now();
  await served.store.write(openAt(100));
  await served.store.write(openAt(1_000));
  await viewer.next();
  assert.ok(performance.now() - startedAt < 500);
  for (let ms = 2_000; ms <= 20_000; ms += 200) await served.store.write(openAt(ms));
  const burst = await viewer.next();
  const figure = burst.data.values.find((value) => value.metric === 'transactions')?.values['placed'];
  const newest = openAt(20_000).find((value) => value.metric === 'transactions')?.values['placed'];
  assert.equal(figure, newest);
  await assert.rejects(viewer.next(100), /no message/);
});

test('a viewer that stops reading costs bounded memory and gets the newest values when it reads again', async () => {
  await using served = await serve();
  using quick = await sseViewer(served.url);
  await quick.next();
  const slow = connect(Number(new URL(served.url).port), '127.0.0.1');
  slow.write(`GET ${API.stream} HTTP/1.1\r\nhost: x\r\n\r\n`);
  await systemClock.sleep(50);
  slow.pause();
  const collapsed = async () => Number(/sse_collapsed_total (\d+)/.exec(await metrics(served.url))?.[1]);
  // Many groups make big messages, so that the kernel's buffers are soon full.
  const wide = openAt(20_000)[0]!;
  let sent = 0;
  for (let round = 1; round <= 60; round++) {
    const values = Array.from({ length: 1_000 }, (_, id) => ({
      ...wide,
      group: { currency: `C${id}` },
      events: round,
    }));
    await served.store.write(values);
    const { data } = await quick.next();
    sent += JSON.stringify(data).length;
  }
  assert.equal(await collapsed(), 0);
  let received = 0;
  let tail = '';
  slow.on('data', (part) => {
    received += part.length;
    tail = (tail + part.toString()).slice(-2_000_000);
  });
  slow.resume();
  for (let tries = 0; (await collapsed()) === 0 && tries < 200; tries++) await systemClock.sleep(20);
  await systemClock.sleep(300);
  slow.destroy();
  assert.equal(await collapsed(), 1);
  assert.ok(received < sent / 2, `${received} of ${sent} bytes`);
  const last = tail
    .split('\n\n')
    .filter((block) => block.includes('event: change'))
    .at(-1)!;
  const id = /id: \S+-(\d+)/.exec(last)?.[1];
  const { id: now } = await (async () => {
    using fresh = await sseViewer(served.url);
    return await fresh.next();
  })();
  assert.equal(id, now?.split('-')[1]);
});

const metrics = async (url: string): Promise<string> => (await fetch(`${url}/metrics`)).text();

test('viewers are bounded; the one too many is told to come back, and a place becomes free again', async () => {
  await using served = await serve({ clientsMax: 2 });
  using first = await sseViewer(served.url);
  const second = await sseViewer(served.url);
  assert.equal(first.status, 200);
  using third = await sseViewer(served.url);
  assert.equal(third.status, 503);
  assert.equal(third.headers['retry-after'], '5');
  await systemClock.sleep(20);
  assert.match(third.rest(), /too_many_viewers/);
  second[Symbol.dispose]();
  for (let tries = 0; served.stage.health().figures['sse_clients'] !== 1; tries++) {
    assert.ok(tries < 200, 'the place never became free');
    await systemClock.sleep(10);
  }
  using fourth = await sseViewer(served.url);
  assert.equal(fourth.status, 200);
});

test('heartbeats come when nothing changes, well before a page calls itself stale', async () => {
  const waits: number[] = [];
  const clock = {
    now: systemClock.now,
    sleep: (delayMs: number, signal?: AbortSignal) => {
      waits.push(delayMs);
      return systemClock.sleep(delayMs / 100, signal);
    },
  };
  await using served = await serve({ clock });
  const response = await fetch(served.url + API.stream);
  let text = '';
  for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (text.includes('event: heartbeat')) break;
  }
  assert.match(text, /^retry: 1000\n\n/);
  assert.ok(Math.min(...waits) * 2 < STALE_AFTER_MS);
});

test('it stops at once with viewers connected', async () => {
  const served = await serve();
  using viewer = await sseViewer(served.url);
  await viewer.next();
  const startedAt = performance.now();
  await served[Symbol.asyncDispose]();
  assert.ok(performance.now() - startedAt < 1_000);
  assert.equal(served.stage.url(), null);
});
