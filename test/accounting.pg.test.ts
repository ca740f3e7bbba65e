// The accounting over the real chain while it runs, and that it finds what is planted.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { formatReport, reportJson } from '../src/app/commands/verify.ts';
import { TOPICS } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { seededRandom } from '../src/lib/random.ts';
import { retry } from '../src/lib/retry.ts';
import type { Stage } from '../src/lib/stage.ts';
import { capture } from '../src/stages/capture/capture.ts';
import { enrichment } from '../src/stages/enrichment/enrichment.ts';
import { GENERATOR_DEFAULTS, generator } from '../src/stages/generator/generator.ts';
import { loader } from '../src/stages/loader/loader.ts';
import { metricsStage } from '../src/stages/metrics/embedded/stage.ts';
import { replayDeadLetters } from '../src/stores/broker/dead-letter-queue.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import { dropFeed } from '../src/stores/shop/drop-feed.ts';
import { logicalFeed } from '../src/stores/shop/logical-feed.ts';
import { pollingFeed } from '../src/stores/shop/polling-feed.ts';
import { postgresShop } from '../src/stores/shop/postgres-shop.ts';
import { postgresShopNames } from '../src/stores/shop/postgres-shop-names.ts';
import type { CaptureMode } from '../src/stores/shop/preflight.ts';
import { ensureShopSchema } from '../src/stores/shop/schema.ts';
import { postgresWarehouse } from '../src/stores/warehouse/postgres-warehouse.ts';
import { accountingOf, assertAccounting } from './support/accounting.ts';
import { type TestPostgres, testPostgres } from './support/postgres.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

interface Running {
  stop(): Promise<void>;
}

/** The chain without publisher and page, on databases and a folder of its own. */
async function chain(t: { after(fn: () => Promise<void>): void }, mode: CaptureMode = 'logical') {
  const [shopUrl, crmUrl, dwhUrl] = [
    await postgres.database(),
    await postgres.database(),
    await postgres.database(),
  ];
  await ensureShopSchema(shopUrl, crmUrl);
  const dataDir = mkdtempSync(join(tmpdir(), 'accounting-'));
  const common = { clock: systemClock, log: silentLog };
  const broker = sqliteBroker({ ...common, dir: join(dataDir, 'log') });
  await broker.createTopics(Object.values(TOPICS));
  const warehouse = postgresWarehouse({ url: dwhUrl, clock: systemClock });
  await warehouse.migrate();
  const names = postgresShopNames(shopUrl);
  const shop = postgresShop({ shopUrl, crmUrl });
  const feed = (url: string, database: 'instashop' | 'crm_db') => {
    const parts = { ...common, url, database };
    return mode === 'logical' ? logicalFeed(parts) : pollingFeed({ ...parts, intervalMs: 20 });
  };
  const feeds = [feed(shopUrl, 'instashop'), feed(crmUrl, 'crm_db')];
  const running = new Set<Running>();
  const start = (...stages: readonly Stage[]): Running => {
    const abort = new AbortController();
    const again = { clock: systemClock, signal: abort.signal };
    const work = Promise.all(stages.map((stage) => retry(() => stage.run(abort.signal), again)));
    work.catch(() => {});
    const one = {
      stop: async () => {
        running.delete(one);
        abort.abort();
        await work;
      },
    };
    running.add(one);
    return one;
  };
  const startCapture = () => start(capture({ ...common, feeds, names, broker, dir: dataDir, ...CAPTURE }));
  const startReaders = () =>
    start(
      enrichment({ ...common, broker }),
      loader({ ...common, broker, warehouse }),
      metricsStage({ ...common, broker, dir: join(dataDir, 'metrics'), checkpointIntervalMs: 200 }),
    );
  const startSales = (salesPerSecond: number) =>
    start(
      generator({
        ...common,
        shop,
        random: seededRandom('accounting'),
        options: { ...GENERATOR_DEFAULTS, salesPerSecond },
      }),
    );
  t.after(async () => {
    for (const one of [...running]) await one.stop();
    await Promise.all([...feeds, names, shop, broker, warehouse].map((one) => one.close()));
    await dropFeed(shopUrl, 'instashop');
    await dropFeed(crmUrl, 'crm_db');
    rmSync(dataDir, { recursive: true });
  });
  const parts = { shopUrl, crmUrl, dwhUrl, dataDir, capture: mode };
  return {
    parts,
    broker,
    startCapture,
    startReaders,
    startSales,
    sql: (text: string) => postgres.sql(shopUrl, text),
    crm: (text: string) => postgres.sql(crmUrl, text),
    dwh: (text: string) => postgres.sql(dwhUrl, text),
  };
}
/** Nothing is under way: an idle capture acknowledges every 10 s only, and need not be waited for. */
const QUIET = { waitMs: 500 };
const CAPTURE = { mainCurrency: 'USD', resnapshot: false };

const differing = (report: Awaited<ReturnType<typeof accountingOf>>) =>
  report.comparisons
    .filter(({ verdict }) => verdict !== 'agree')
    .map(({ what, left, right }) => `${what}: ${left} = ${right}`);

const total = (report: Awaited<ReturnType<typeof accountingOf>>, what: string, left: string) =>
  report.comparisons.find((one) => one.what === what && one.left === left)!.leftTotal.rows;

test('agrees while sales come in; then finds a lost row, a changed amount, a lost visit and a repeat', async (t) => {
  const { parts, broker, startCapture, startReaders, startSales, sql, crm, dwh } = await chain(t);
  const capturing = startCapture();
  const reading = startReaders();
  const sales = startSales(200);
  const sold = async () => Number((await sql('SELECT count(*) AS sold FROM transaction'))[0]!['sold']);
  while ((await sold()) < 300) await systemClock.sleep(50);
  const first = await assertAccounting(parts);
  assert.ok(total(first, 'sales', 'shop') > 200, formatReport(first));
  assert.ok(total(first, 'visits', 'shop') > 50, formatReport(first));
  await sql(
    // Without the lock it could deadlock with the generator's own updates.
    `LOCK TABLE transaction IN SHARE ROW EXCLUSIVE MODE;
     UPDATE transaction SET total_amount = total_amount + 1 WHERE transaction_id % 7 = 0;
     UPDATE transaction SET status = 'refunded' WHERE transaction_id % 11 = 0;
     UPDATE transaction SET currency = 'EUR' WHERE transaction_id % 13 = 0;
     UPDATE transaction SET transaction_date = transaction_date - interval '2 days' WHERE transaction_id = 1;
     UPDATE transactiondetail SET quantity = 0 WHERE transaction_detail_id % 17 = 0;
     UPDATE transaction SET total_amount = 'NaN' WHERE transaction_id = 2;
     UPDATE transaction SET transaction_date = 'infinity' WHERE transaction_id = 3;
     DELETE FROM transactiondetail WHERE transaction_id % 19 = 0;
     DELETE FROM transaction WHERE transaction_id % 19 = 0`,
  );
  await crm(
    `DELETE FROM interaction WHERE interaction_id % 5 = 0;
     UPDATE interaction SET interaction_type = 'odd' WHERE interaction_id = 1;
     INSERT INTO interaction (interaction_type, cart_step, cart_items) VALUES ('purchase_intent', 'checkout', '{}')`,
  );
  const second = await assertAccounting(parts);
  assert.match(formatReport(second), /rows of the shop that no event can hold/);
  assert.match(formatReport(second), /dated anew/);
  await sales.stop();
  await systemClock.sleep(1_500);

  await dwh(`DELETE FROM realtime_events WHERE event_id =
    (SELECT event_id FROM realtime_events WHERE event_type = 'transaction' AND op = 'placed' LIMIT 1)`);
  const lost = await accountingOf({ ...parts, ...QUIET });
  assert.deepEqual(differing(lost), ['sales: log = warehouse', 'events: log = warehouse']);
  assert.match(formatReport(lost), /warehouse has -1 rows/);

  await capturing.stop();
  await sql('UPDATE transaction SET total_amount = total_amount + 0.01 WHERE transaction_id = 5');
  await crm('DELETE FROM interaction WHERE interaction_id = 7');
  const changed = await accountingOf({ ...parts, ...QUIET });
  assert.deepEqual(differing(changed).slice(0, 2), ['sales: shop = log', 'visits: shop = log']);
  assert.match(formatReport(changed), /capture of instashop is not running/);
  assert.match(formatReport(changed), /log has \+0 rows, -0.01 against shop/);

  await reading.stop();
  const { tail } = (await broker.partitions(TOPICS.transactions.name)).find((one) => one.tail !== null)!;
  await broker.append([tail!]);
  const twice = await accountingOf({ ...parts, ...QUIET });
  assert.equal(twice.topics.find(({ topic }) => topic === 'transactions')!.repeats, 1);
  assert.equal(JSON.parse(reportJson(twice)).verdict, 'DIFFER');
});

test('a value that moved between two sales is seen, though rows and money are the same', async (t) => {
  const { parts, startCapture, startReaders, sql } = await chain(t);
  await sql(
    `INSERT INTO customer (name) VALUES ('Sol'); INSERT INTO buyer (name) VALUES ('Ana');
     INSERT INTO transaction (buyer_id, customer_id, total_amount, payment_method, status)
     VALUES (1, 1, 10, 'PayPal', 'completed'), (1, 1, 20, 'PayPal', 'completed')`,
  );
  const capturing = startCapture();
  startReaders();
  await systemClock.sleep(1_500);
  await assertAccounting({ ...parts, ...QUIET });
  await capturing.stop();
  await sql('UPDATE transaction SET total_amount = 30 - total_amount');
  const report = await accountingOf({ ...parts, ...QUIET });
  assert.deepEqual(differing(report), ['sales: shop = log']);
  assert.match(formatReport(report), /other rows \(digest\)/);
});

test('refused by the warehouse and by the metrics, and replayed: it agrees at every step', async (t) => {
  const { parts, broker, startCapture, startReaders, sql, dwh } = await chain(t);
  await sql(`INSERT INTO customer (name) VALUES ('Sol'); INSERT INTO buyer (name) VALUES ('Ana')`);
  startCapture();
  startReaders();
  await systemClock.sleep(500);
  await dwh(`ALTER TABLE realtime_events ADD CONSTRAINT mend CHECK (amount_minor <> 1300)`);
  await sql(
    `INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status)
     VALUES (1, 1, now(), 13, 'PayPal', 'completed'), (1, 1, now(), 14, 'PayPal', 'pending'),
            (1, 1, now() + interval '1 day', 15, 'PayPal', 'completed')`,
  );
  await systemClock.sleep(1_000);
  const refused = await assertAccounting({ ...parts, ...QUIET });
  assert.deepEqual(refused.deadLetters, { 'loader warehouse_rejected': 1, 'metrics future_event_time': 1 });
  await dwh('ALTER TABLE realtime_events DROP CONSTRAINT mend');
  await replayDeadLetters(broker, { stage: 'loader' });
  await systemClock.sleep(1_000);
  const report = await assertAccounting({ ...parts, ...QUIET });
  assert.equal(report.comparisons.find(({ right }) => right === 'warehouse')!.rightTotal.rows, 3);
});

test('polling: a quiet moment is compared', async (t) => {
  const { parts, startCapture, startReaders, startSales } = await chain(t, 'polling');
  startCapture();
  startReaders();
  const sales = startSales(50);
  await systemClock.sleep(1_500);
  await sales.stop();
  const report = await assertAccounting({ ...parts, ...QUIET });
  assert.equal(report.cut.instashop, null);
});
