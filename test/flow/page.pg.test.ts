// What people see: a sale written by hand reaches page, stream, health, figures and history, and they agree.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LiveHealth, LiveHistory, LiveSnapshot } from '../../src/contracts/live.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { sseViewer } from '../../src/stages/dashboard/testing/sse-client.ts';
import { type System, startSystem } from '../support/in-process-system.ts';
import { type TestPostgres, testPostgres } from '../support/postgres.ts';
import { program } from '../support/programs.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

const HOUR_MS = 3_600_000;
const SALE = `INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status)`;

const get = async <T>(url: string): Promise<T> => (await (await fetch(url)).json()) as T;

/** Completed sales and their amount, over all windows of the page. */
const completed = ({ values }: Pick<LiveSnapshot, 'values'>): readonly [number, number] =>
  values
    .filter(({ metric }) => metric === 'transactions')
    .reduce(
      ([count, minor], { values: of }) => [
        count + of['completed_entered']!,
        minor + of['completed_entered_minor']!,
      ],
      [0, 0],
    );

/** The health once nothing is wrong and no stage is starting any more (each tells about once a second). */
async function healthy(page: string): Promise<LiveHealth> {
  const until = systemClock.now() + 10_000;
  for (;;) {
    const response = await fetch(`${page}/api/v1/health`);
    const health = (await response.json()) as LiveHealth;
    assert.equal(response.status, health.status === 'ok' ? 200 : 503);
    const started = health.stages.every(({ state }) => state !== 'starting');
    if (health.status === 'ok' && started) return health;
    assert.ok(systemClock.now() < until, JSON.stringify(health));
    await systemClock.sleep(50);
  }
}

test('a sale written by psql is on the page at once, and every address tells the same', async (t) => {
  const psql = program(t, 'psql');
  if (psql === null) return;
  const system = await startSystem(t, postgres);
  const page = await system.page();
  await system.quiet();
  using viewer = await sseViewer(page);
  assert.equal((await viewer.next()).event, 'snapshot');
  const write = (amount: number) =>
    psql(
      ['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', system.shopUrl],
      `${SALE} VALUES (1, 1, now(), ${amount}, 'Cash', 'completed');`,
    );
  const delays: number[] = [];
  for (let sale = 1; sale <= 5; sale++) {
    await write(10);
    const writtenAt = performance.now();
    for (let seen = false; !seen; ) {
      const { data } = await viewer.next();
      const values = data.values.filter(({ metric }) => metric === 'transactions');
      seen = values.length > 0 && (await snapshotCount(page)) >= sale;
    }
    delays.push(performance.now() - writtenAt);
  }
  t.diagnostic(`psql done → on the page: ${delays.map((ms) => `${ms.toFixed(0)} ms`).join(', ')}`);
  delays.sort((one, other) => one - other);
  assert.ok(delays[2]! < 1_000, `median ${delays[2]} ms`);

  await system.quiet();
  assert.deepEqual(completed(await get<LiveSnapshot>(`${page}/api/v1/snapshot`)), [5, 5_000]);
  const health = await healthy(page);
  assert.deepEqual(health.problems, []);
  assert.deepEqual(
    health.stages.map(({ stage, state }) => `${stage} ${state}`).sort(),
    ['capture', 'dashboard', 'enrichment', 'loader', 'metrics', 'publisher'].map(
      (stage) => `${stage} running`,
    ),
  );
  await assertHistory(system, page);
  await assertFigures(page);
});

const snapshotCount = async (page: string): Promise<number> =>
  completed(await get<LiveSnapshot>(`${page}/api/v1/snapshot`))[0];

/** /api/v1/history says what SQL says of the raw rows. */
async function assertHistory(system: System, page: string, query = ''): Promise<LiveHistory> {
  const history = await get<LiveHistory>(`${page}/api/v1/history${query}`);
  const rows = await system.dwh<Record<'hour' | 'completed' | 'minor', string>>(
    `SELECT extract(epoch FROM date_trunc('hour', "timestamp")) * 1000 AS hour, count(*) AS completed,
            sum((raw_data->>'total_amount_minor')::bigint) AS minor
       FROM realtime_events
      WHERE event_type = 'transaction' AND raw_data->>'status' = 'completed'
        AND "timestamp" >= to_timestamp(${history.from / 1000}) AND "timestamp" < to_timestamp(${history.to / 1000})
      GROUP BY 1 ORDER BY 1`,
  );
  assert.ok(rows.length > 0);
  assert.deepEqual(
    history.hours.map(({ hour, completed: count, gross_minor }) => [hour, count, gross_minor]),
    rows.map(({ hour, completed: count, minor }) => [Number(hour), Number(count), Number(minor)]),
  );
  const [all] = await system.dwh<{ events: string }>('SELECT count(*) AS events FROM realtime_events');
  assert.equal(history.totals?.events, Number(all!.events));
  return history;
}

/** /metrics tells what the stages did, as of their newest reports: those of a second ago. */
async function assertFigures(page: string): Promise<void> {
  const wanted = ['capture', 'loader', 'metrics'].flatMap((stage) => [
    `instashop_stage_processed_total{stage="${stage}"} 5`,
    `instashop_stage_up{stage="${stage}"} 1`,
  ]);
  const until = systemClock.now() + 10_000;
  for (;;) {
    const lines = (await (await fetch(`${page}/metrics`)).text()).split('\n');
    const missing = wanted.filter((line) => !lines.includes(line));
    if (missing.length === 0) return;
    assert.ok(systemClock.now() < until, `/metrics lacks ${missing.join(', ')}`);
    await systemClock.sleep(100);
  }
}

test('a day-long history opens at once and is right', async (t) => {
  const system = await startSystem(t, postgres);
  const page = await system.page();
  await system.shop(
    `${SALE} SELECT 1 + n % 50, 1 + n % 2, now() - n * interval '8.64 s', n % 500 / 4.0, 'Cash', 'completed'
       FROM generate_series(1, 10000) n`,
  );
  await system.quiet();
  const asked = performance.now();
  const history = await get<LiveHistory>(`${page}/api/v1/history?hours=25`);
  const ms = performance.now() - asked;
  t.diagnostic(`24 hours of 10,000 sales: answered in ${ms.toFixed(0)} ms`);
  assert.equal(
    history.hours.length,
    history.hours.at(-1)!.hour === history.hours[0]!.hour + 24 * HOUR_MS ? 25 : 24,
  );
  await assertHistory(system, page, '?hours=25');
  const merchant = await get<LiveHistory>(`${page}/api/v1/history?hours=25&customer_id=2`);
  const sum = (of: LiveHistory): number => of.hours.reduce((total, { completed: count }) => total + count, 0);
  assert.deepEqual([sum(history), sum(merchant)], [10_000, 5_000]);
});
