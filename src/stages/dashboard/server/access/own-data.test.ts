// Every byte that a merchant's user is sent, looked through for what is not theirs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API, type LiveHistory, type LiveSnapshot } from '../../../../contracts/live.ts';
import type { LivePeople } from '../../../../contracts/people.ts';
import { systemClock } from '../../../../lib/clock.ts';
import {
  MERCHANTS,
  shopDetails,
  shopHealth,
  shopHistory,
  shopPeople,
  shopWindows,
} from '../../testing/fake-shop.ts';
import { cookieOf, fakeUsers } from '../../testing/fake-users.ts';
import { type Served, serve } from '../../testing/serve.ts';

/** What a figure of the whole shop, and one of another merchant, is recognized by. */
const WHOLE = 777_555_333;
const OTHERS = 222_444_666;
const OWN = 111_222_333;
const FOREIGN = [
  String(WHOLE),
  String(OTHERS),
  ...MERCHANTS.slice(1),
  'Product 1',
  'unicorn saddle',
  'Electronics',
  'PayPal',
  'website_visit',
  'add_to_cart',
  'capture',
  'disk full',
];

type Value = ReturnType<typeof shopDetails>[number];
/** All figures of the value become one that can be told apart. */
function marked(value: Value, round: number): Value {
  const { customer_id: id } = value.group;
  const mark = id === undefined ? WHOLE : id === 1 ? OWN : OTHERS;
  const values = Object.fromEntries(Object.keys(value.values).map((name) => [name, mark]));
  return { ...value, values, events: value.events + round };
}

async function write({ store }: Served, round: number): Promise<void> {
  const now = Date.now();
  const values = [...shopWindows(now, 20), ...shopDetails(now, 20)];
  await store.write(values.map((value) => marked(value, round)));
  const [stage, ...others] = shopHealth(now);
  await store.writeHealth([{ ...stage!, errors: WHOLE, last_error: 'disk full' }, ...others]);
}

async function shop(): Promise<Served> {
  const served = await serve({ users: await fakeUsers() });
  const { warehouse } = served;
  const mark = (id: number | undefined): number => (id === undefined ? WHOLE : id === 1 ? OWN : OTHERS);
  warehouse.history = async (from, to, id) =>
    shopHistory(Date.now(), 3)
      .filter(({ hour }) => hour >= from && hour < to)
      .map((hour) => ({ ...hour, grossMinor: mark(id), completed: mark(id) }));
  warehouse.activity = async (from) => [{ hour: from, eventType: 'website_visit', events: WHOLE }];
  const { totals } = warehouse;
  warehouse.totals = async () => ({ ...(await totals()), events: WHOLE, firstEventAt: 1_700_000_000_000 });
  warehouse.shopPeople = (from, to, id) => ({ ...shopPeople(from, to, id), sessions: mark(id) });
  warehouse.latestSales = async (_max, id) => [
    {
      at: Date.now(),
      customerName: MERCHANTS[id === undefined ? 2 : id - 1]!,
      buyerId: null,
      paymentMethod: 'Cash',
      amountMinor: mark(id),
      currency: 'USD',
    },
  ];
  await write(served, 0);
  return served;
}

const QUERIES = [
  '',
  '?period=3600',
  '?merchant=2',
  '?merchant=1',
  '?payment=PayPal',
  '?category=Electronics',
];
const HISTORY = ['', '?hours=3', '?customer_id=2', '?hours=3&customer_id=1'];
const PEOPLE = ['', '?period=900', '?customer_id=2', '?hours=3&compare=weekday'];

/** All that a user can be sent, the stream for a while, also from where somebody else's left off. */
async function everything(served: Served, name: string): Promise<string> {
  const headers = await cookieOf(served.url, name);
  const paths = [
    ...QUERIES.map((query) => API.snapshot + query),
    ...HISTORY.map((query) => API.history + query),
    ...PEOPLE.map((query) => API.people + query),
    ...['', '?customer_id=2'].map((query) => API.feed + query),
    ...[API.health, API.alerts, API.reconciliation, API.session, '/metrics', '/api/v1/nothing'],
  ];
  const texts: string[] = [];
  const stop = new AbortController();
  let epoch = '';
  const follow = async (query: string, lastEventId?: string): Promise<void> => {
    const more = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
    const response = await fetch(served.url + API.stream + query, {
      headers: { ...headers, ...more },
      signal: stop.signal,
    });
    try {
      for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
        texts.push(part);
        epoch ||= /id: (\S+)-\d+/.exec(part)?.[1] ?? '';
      }
    } catch {
      // Stopped.
    }
  };
  const streams = QUERIES.map((query) => follow(query));
  await systemClock.sleep(300);
  assert.notEqual(epoch, '');
  streams.push(follow('', `${epoch}-1`), follow('?merchant=2', `${epoch}-1`));
  for (let round = 1; round <= 3; round++) {
    await write(served, round);
    // Rankings come once a second.
    await systemClock.sleep(500);
  }
  stop.abort();
  await Promise.all(streams);
  for (const path of paths) texts.push(await (await fetch(served.url + path, { headers })).text());
  return texts.join('\n');
}

test('a merchant’s user is sent nothing of another merchant or of the whole shop, whatever they ask for', async () => {
  await using served = await shop();
  // Streams of one scope share their bytes: that of Vera, who looks at the same merchant, is another one.
  const besides = new AbortController();
  const vera = await fetch(`${served.url}${API.stream}?merchant=1`, {
    headers: await cookieOf(served.url, 'Vera'),
    signal: besides.signal,
  });
  const ended = vera.body!.pipeTo(new WritableStream()).catch(() => {});
  const sent = await everything(served, 'Luna');
  besides.abort();
  await ended;
  for (const foreign of FOREIGN) assert.ok(!sent.includes(foreign), `Luna was sent ${foreign}`);
  // The net is fine enough: somebody else is sent all of it.
  const all = await everything(served, 'Vera');
  for (const foreign of FOREIGN) assert.ok(all.includes(foreign), `nobody is sent ${foreign}`);
});

test('they are sent what is theirs: windows, hours, people, sales and their name', async () => {
  await using served = await shop();
  const headers = await cookieOf(served.url, 'Luna');
  const get = async <T>(path: string) => (await (await fetch(served.url + path, { headers })).json()) as T;
  await systemClock.sleep(1_100);
  const snapshot = await get<LiveSnapshot>(`${API.snapshot}?category=Books&period=300`);
  assert.deepEqual(snapshot.scope, { period_s: 300, filter: { by: 'merchant', of: '1' }, own: true });
  assert.ok(snapshot.values.length >= 10);
  assert.ok(snapshot.values.every(({ values }) => values['completed_entered_minor'] === OWN));
  assert.deepEqual(snapshot.rankings?.merchants, [{ customer_id: 1, name: 'Casa Luna' }]);
  assert.deepEqual([snapshot.stages, snapshot.waiting], [[], true]);
  assert.notEqual(snapshot.newest_committed_at, null);

  const history = await get<LiveHistory>(`${API.history}?customer_id=2`);
  assert.deepEqual([history.customer_id, history.totals, history.activity], [1, null, []]);
  assert.ok(history.hours.length > 0 && history.hours.every((hour) => hour.gross_minor === OWN));
  assert.equal(history.known_from, 1_700_000_000_000);

  const people = await get<LivePeople>(`${API.people}?customer_id=2`);
  assert.deepEqual([people.customer_id, people.period.sessions], [1, OWN]);
  const feed = await get<{ sales: { merchant: string }[] }>(API.feed);
  assert.deepEqual(
    feed.sales.map(({ merchant }) => merchant),
    ['Casa Luna'],
  );
});

test('what is about the whole shop is refused to them, also what a later route does not speak of', async () => {
  await using served = await shop();
  const headers = await cookieOf(served.url, 'Luna');
  for (const path of [API.alerts, API.reconciliation, '/metrics', '/api/v1/nothing']) {
    assert.equal((await fetch(served.url + path, { headers })).status, 403, path);
  }
  for (const path of [API.reconciliation, API.replay]) {
    assert.equal((await fetch(served.url + path, { headers, method: 'POST' })).status, 403, path);
  }
});
