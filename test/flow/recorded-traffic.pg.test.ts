// Real shoppers' traffic, recorded (test/data), written into the shop's CRM by COPY: every row counts exactly once.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { CAPTURED_TOPICS, TOPICS } from '../../src/contracts/topics.ts';
import type { Fate } from '../../src/stages/metrics/engine.ts';
import { type System, startSystem } from '../support/in-process-system.ts';
import { type TestPostgres, testPostgres } from '../support/postgres.ts';
import { program, type RunProgram } from '../support/programs.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

interface Visit {
  readonly session: string;
  readonly event: string;
  readonly time: string;
  readonly platform: string;
}

const FILE = new URL('../data/shop-clickstream.csv.gz', import.meta.url);
const VISITS: readonly Visit[] = gunzipSync(readFileSync(FILE))
  .toString()
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [, session, event, time, platform] = line.split(',') as [string, string, string, string, string];
    return { session, event, time: `${time}Z`, platform };
  });

const copyInto = (psql: RunProgram, url: string, visits: readonly Visit[]): Promise<string> =>
  psql(
    [
      ...['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url, '-c'],
      'COPY interaction (interaction_type, session_id, interaction_date, channel) FROM STDIN (FORMAT csv)',
    ],
    visits.map(({ session, event, time, platform }) => `${event},${session},${time},${platform}\n`).join(''),
  );

const countsOf = (names: Iterable<string>): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
};
const TYPES = countsOf(VISITS.map(({ event }) => event));

/** Every row once, exact repeats included, in the topics and in the warehouse. */
async function assertStored(system: System, types: Readonly<Record<string, number>>): Promise<void> {
  const seen: string[] = [];
  for (const { name } of CAPTURED_TOPICS) {
    for (const { value } of await system.records(name)) {
      seen.push(JSON.parse(Buffer.from(value).toString()).interaction_type);
    }
  }
  assert.deepEqual(countsOf(seen), types);
  const rows = await system.dwh<{ type: string; rows: string }>(
    `SELECT interaction_type AS type, count(*) AS rows FROM realtime_events
     GROUP BY 1 ORDER BY interaction_type COLLATE "C"`,
  );
  assert.deepEqual(Object.fromEntries(rows.map(({ type, rows: count }) => [type, Number(count)])), types);
  await system.verify();
}

const fates = (system: System): Partial<Record<Fate, number>> => {
  const counts: Partial<Record<Fate, number>> = {};
  for (const { fate, count } of system.windows().events) counts[fate] = (counts[fate] ?? 0) + count;
  return counts;
};

test('years old, part of it there before the start: counted with the reason why no window has it', async (t) => {
  const psql = program(t, 'psql');
  if (psql === null) return;
  assert.equal(VISITS.length, 31_106);
  const there = 10_000;
  const system = await startSystem(t, postgres, {
    crmBefore: (url) => copyInto(psql, url, VISITS.slice(0, there)),
  });
  await system.quiet();
  assert.deepEqual(fates(system), { history: there });
  await system.crm(`INSERT INTO interaction (interaction_type) VALUES ('today')`);
  await system.quiet();
  await copyInto(psql, system.crmUrl, VISITS.slice(there));
  await system.quiet();
  assert.deepEqual(fates(system), { history: there, counted: 1, too_late: VISITS.length - there });
  await assertStored(system, countsOf([...VISITS.map(({ event }) => event), 'today']));
});

test('as if it were the last minutes: windows hold every row', async (t) => {
  const psql = program(t, 'psql');
  if (psql === null) return;
  const system = await startSystem(t, postgres);
  await system.quiet();
  const now = Date.now();
  const recent = VISITS.map((visit, index) => ({
    ...visit,
    time: new Date(now - 240_000 + (index * 240_000) / VISITS.length).toISOString(),
  }));
  await copyInto(psql, system.crmUrl, recent);
  await system.quiet();
  assert.deepEqual(fates(system), { counted: VISITS.length });
  await assertStored(system, TYPES);
  const store = await system.platform.metricsStore('dashboard');
  const windows = await store.range('behavior', now - 300_000, now + 60_000);
  const shown: Record<string, number> = {};
  for (const { group, values } of windows) {
    const type = String(group['interaction_type']);
    shown[type] = (shown[type] ?? 0) + values['count']!;
  }
  assert.deepEqual(Object.fromEntries(Object.entries(shown).sort(([a], [b]) => (a < b ? -1 : 1))), TYPES);
  const [searches, carts] = [
    await system.records(TOPICS.searches.name),
    await system.records(TOPICS.cartEvents.name),
  ];
  assert.deepEqual([searches.length, carts.length], [TYPES['search'], TYPES['add_to_cart']]);
  const perWindow = new Map<number, number>();
  for (const { window_start, values } of windows) {
    perWindow.set(window_start, (perWindow.get(window_start) ?? 0) + values['count']!);
  }
  const expected = countsOf(recent.map(({ time }) => String(Math.floor(Date.parse(time) / 30_000) * 30_000)));
  assert.deepEqual(Object.fromEntries(perWindow), expected);
});
