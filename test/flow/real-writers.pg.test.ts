// Sales that our generator did not write: by psql and pgbench, in all the ways a transaction can go.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TOPICS } from '../../src/contracts/topics.ts';
import { type System, startSystem } from '../support/in-process-system.ts';
import { type TestPostgres, testPostgres } from '../support/postgres.ts';
import { program, type RunProgram } from '../support/programs.ts';

let postgres: TestPostgres;
before(async () => {
  postgres = await testPostgres();
});
after(() => postgres.stop());

const SALE = `INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status)`;
const ITEM = 'INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)';
const LAST = "currval('transaction_transaction_id_seq')";

const psqlInto = (run: RunProgram, url: string) => (sql: string) =>
  run(['-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', url], sql);

const placed = async (system: System): Promise<number> =>
  (await system.records(TOPICS.transactions.name)).filter(
    ({ value }) => JSON.parse(Buffer.from(value).toString()).op === 'placed',
  ).length;

for (const capture of ['logical', 'polling'] as const) {
  test(`${capture}: sales by psql: one or several transactions, changed, deleted, never committed`, async (t) => {
    const run = program(t, 'psql');
    if (run === null) return;
    const system = await startSystem(t, postgres, { options: { capture, pollInterval: 50 } });
    const psql = psqlInto(run, system.shopUrl);
    // Header and items in one transaction, and in one transaction each.
    await psql(`BEGIN; ${SALE} VALUES (1, 1, now(), 72.5, 'PayPal', 'completed');
      ${ITEM} VALUES (${LAST}, 1, 2, 30), (${LAST}, 2, 1, 12.5); COMMIT;`);
    await psql(`${SALE} VALUES (2, 1, now(), 60, 'Cash', 'completed'); ${ITEM} VALUES (${LAST}, 1, 1, 30);
      ${ITEM} VALUES (${LAST}, 1, 1, 30);`);
    // Nothing of these was ever there.
    await psql(`BEGIN; ${SALE} VALUES (3, 1, now(), 999, 'Cash', 'completed'); ${ITEM} VALUES (${LAST}, 1, 9, 111);
      ROLLBACK;`);
    await psql(`BEGIN; ${SALE} VALUES (3, 1, now(), 999, 'Cash', 'completed'); ${ITEM} VALUES (${LAST}, 1, 9, 111);
      DELETE FROM transactiondetail WHERE transaction_id = ${LAST};
      DELETE FROM transaction WHERE transaction_id = ${LAST}; COMMIT;`);
    // Of this one only what lies outside the savepoints.
    await psql(`BEGIN; ${SALE} VALUES (4, 2, now(), 4.25, 'Cash', 'pending');
      SAVEPOINT a; ${ITEM} VALUES (${LAST}, 4, 7, 1.1); ROLLBACK TO a;
      SAVEPOINT b; ${ITEM} VALUES (${LAST}, 3, 1, 4.25); RELEASE b;
      SAVEPOINT c; ${SALE} VALUES (4, 2, now(), 500, 'Cash', 'completed'); ROLLBACK TO c; COMMIT;`);
    // Changed and taken back.
    await psql(`${SALE} SELECT n, 1, now() - n * interval '1 s', n, 'Cash', 'pending' FROM generate_series(1, 20) n;
      ${ITEM} SELECT transaction_id, 2, 1, total_amount FROM transaction WHERE status = 'pending' AND customer_id = 1;
      UPDATE transaction SET status = 'completed' WHERE status = 'pending' AND total_amount > 8;
      UPDATE transaction SET status = 'refunded' WHERE total_amount BETWEEN 10 AND 12;
      UPDATE transaction SET total_amount = total_amount + 0.01 WHERE total_amount = 15;
      UPDATE transaction SET currency = 'EUR' WHERE total_amount = 16;
      UPDATE transactiondetail SET quantity = 3 WHERE unit_price = 17;
      DELETE FROM transactiondetail WHERE unit_price IN (18, 3);
      BEGIN; DELETE FROM transactiondetail WHERE unit_price = 19; DELETE FROM transaction WHERE total_amount = 19;
      COMMIT; UPDATE transaction SET status = 'lost in the mail' WHERE total_amount = 20;`);
    await system.quiet();
    if (capture === 'polling') await until(async () => (await placed(system)) === 23);
    await system.quiet();
    await system.verify();
    assert.equal(await placed(system), 23);
    assert.deepEqual(await system.records(TOPICS.deadLetters.name), []);
  });
}

/** Polling has no place in the shop's log to wait for. */
async function until(reached: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 200 && !(await reached()); waited++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test('one transaction of 10,000 sales, and one that changes them all', async (t) => {
  const run = program(t, 'psql');
  if (run === null) return;
  const system = await startSystem(t, postgres);
  const psql = psqlInto(run, system.shopUrl);
  await psql(`BEGIN; ${SALE} SELECT 1 + n % 50, 1 + n % 2, now() - n * interval '2 ms', n / 100.0, 'Cash', 'pending'
      FROM generate_series(1, 10000) n;
    ${ITEM} SELECT transaction_id, 1 + transaction_id % 4, 1, total_amount FROM transaction; COMMIT;`);
  await psql(
    `UPDATE transaction SET status = CASE WHEN transaction_id % 7 = 0 THEN 'failed' ELSE 'completed' END`,
  );
  await system.quiet();
  await system.verify();
  assert.equal(await placed(system), 10_000);
});

test('sales by pgbench: many clients, each sale one transaction of header and items, some rolled back', async (t) => {
  const run = program(t, 'pgbench');
  if (run === null) return;
  const system = await startSystem(t, postgres);
  const folder = mkdtempSync(join(tmpdir(), 'pgbench-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = (name: string, sql: string): string => {
    writeFileSync(join(folder, name), sql);
    return join(folder, name);
  };
  const begin = `\\set buyer random(1, 50)
    \\set price random(1, 20000)
    BEGIN;
    ${SALE} VALUES (:buyer, 1, now(), 2 * :price / 100.0, 'Cash', 'completed') RETURNING transaction_id AS sale \\gset
    ${ITEM} VALUES (:sale, 1, 2, :price / 100.0);`;
  const kept = script('kept.sql', `${begin}\nCOMMIT;`);
  const rolledBack = script('rolled-back.sql', `${begin}\nROLLBACK;`);
  const refunded = script(
    'refunded.sql',
    `UPDATE transaction SET status = 'refunded' WHERE transaction_id =
       (SELECT max(transaction_id) FROM transaction WHERE status = 'completed');`,
  );
  const files = [`${kept}@6`, `${rolledBack}@2`, `${refunded}@2`].flatMap((file) => ['-f', file]);
  await run(['-n', '-c', '8', '-j', '2', '-t', '250', ...files, system.shopUrl]);
  await system.quiet();
  await system.verify();
  const [shop] = await system.shop<{ sales: string }>('SELECT count(*) AS sales FROM transaction');
  assert.ok(Number(shop!.sales) > 800, `${shop!.sales} sales`);
  assert.equal(await placed(system), Number(shop!.sales));
});
