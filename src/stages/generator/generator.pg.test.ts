import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { seededRandom } from '../../lib/random.ts';
import type { Stage } from '../../lib/stage.ts';
import { postgresShop } from '../../stores/shop/postgres-shop.ts';
import { ensureShopSchema } from '../../stores/shop/schema.ts';
import { GENERATOR_DEFAULTS, type GeneratorOptions, generator } from './generator.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

/** Runs a generator on new databases until `done`, looked at every 50 ms. */
async function runOn(options: Partial<GeneratorOptions>, done: (stage: Stage) => boolean) {
  const [shopUrl, crmUrl] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, crmUrl);
  const shop = postgresShop({ shopUrl, crmUrl });
  const all = { ...GENERATOR_DEFAULTS, ...options };
  const random = seededRandom('pg');
  const stage = generator({ shop, clock: systemClock, random, log: silentLog, options: all });
  const ends = new AbortController();
  const running = stage.run(ends.signal).finally(() => ends.abort());
  while (!ends.signal.aborted && !done(stage)) await systemClock.sleep(50);
  ends.abort();
  await running;
  await shop.close();
  return { shopUrl, crmUrl, stage };
}

test('the same seed writes the same rows with the same ids into two empty shops', async () => {
  const options = { startAt: Date.UTC(2026, 0, 5), clockSpeed: 20, salesPerSecond: 50 };
  const rows = [];
  for (let i = 0; i < 2; i++) {
    const enough = ({ health }: Stage) => (health().figures['sales'] ?? 0) >= 1_200;
    const { shopUrl, crmUrl } = await runOn(options, enough);
    rows.push({
      merchants: await postgres.sql(shopUrl, 'SELECT * FROM customer ORDER BY 1'),
      buyers: await postgres.sql(shopUrl, 'SELECT * FROM buyer ORDER BY 1'),
      products: await postgres.sql(
        shopUrl,
        'SELECT product_id, customer_id, category FROM product ORDER BY 1',
      ),
      // The status moves on with time.
      sales: await postgres.sql(
        shopUrl,
        `SELECT transaction_id, buyer_id, customer_id, transaction_date, total_amount, payment_method, session_id
         FROM transaction ORDER BY 1 LIMIT 1000`,
      ),
      items: await postgres.sql(shopUrl, 'SELECT * FROM transactiondetail ORDER BY 1 LIMIT 1000'),
      visits: await postgres.sql(crmUrl, 'SELECT * FROM interaction ORDER BY 1 LIMIT 400'),
    });
  }
  assert.deepEqual([rows[0]!.sales.length, rows[0]!.items.length, rows[0]!.visits.length], [1000, 1000, 400]);
  assert.deepEqual(rows[0], rows[1]);
});

test('holds a rate of 1,000 sales a second, every total exact, statuses moving on', async () => {
  const startedAt = systemClock.now();
  const seconds = () => (systemClock.now() - startedAt) / 1000;
  const { shopUrl, crmUrl, stage } = await runOn({ salesPerSecond: 1_000 }, () => seconds() > 8);
  const { figures } = stage.health();
  const [sums] = await postgres.sql<Record<string, number>>(
    shopUrl,
    `SELECT count(*)::int AS sales, count(*) FILTER (WHERE sum IS DISTINCT FROM total_amount)::int AS wrong,
       count(DISTINCT session_id)::int AS sessions
     FROM transaction LEFT JOIN (
       SELECT transaction_id, sum(unit_price * quantity) FROM transactiondetail GROUP BY 1
     ) items USING (transaction_id)`,
  );
  assert.equal(sums!['sales'], figures['sales']);
  assert.equal(sums!['sessions'], sums!['sales']);
  assert.equal(sums!['wrong'], 0);
  assert.ok(
    figures['sales']! > 6_500,
    `${figures['sales']} sales in 8 s, skipped ${figures['skipped_sales']}`,
  );
  assert.ok(figures['status_changes']! > 0);
  const [visits] = await postgres.sql<{ n: number }>(crmUrl, 'SELECT count(*)::int AS n FROM interaction');
  assert.equal(visits!.n, figures['interactions']);
});
