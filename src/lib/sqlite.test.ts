import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import test from 'node:test';
import { UserError } from './errors.ts';
import { isRetryable } from './retry.ts';
import { isBusy, sqliteFault, transaction } from './sqlite.ts';

test('a transaction is kept whole or not at all', () => {
  const db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE rows (id INTEGER PRIMARY KEY)');
  const insert = (id: number) => db.exec(`INSERT INTO rows VALUES (${id})`);
  assert.equal(
    transaction(db, () => {
      insert(1);
      return 'done';
    }),
    'done',
  );
  assert.throws(
    () =>
      transaction(db, () => {
        insert(2);
        insert(1);
      }),
    /UNIQUE/,
  );
  assert.deepEqual(db.prepare('SELECT count(*) AS n FROM rows').get()!['n'], 1);
  db.close();
});

test('faults that pass are retryable, damage is for a person, the rest stays as it is', () => {
  const fault = (errcode: number) =>
    sqliteFault(Object.assign(new Error('x'), { errcode }), { path: 'log.db', remedy: 'start over' });
  for (const code of [5, 10, 13, 261, 1802]) assert.ok(isRetryable(fault(code)), String(code));
  for (const code of [11, 26, 267]) assert.ok(fault(code) instanceof UserError, String(code));
  for (const code of [1, 19]) assert.equal(isRetryable(fault(code)), false, String(code));
  const plain = new Error('not of SQLite');
  assert.equal(sqliteFault(plain, { path: '', remedy: '' }), plain);
  assert.deepEqual([isBusy(fault(517)), isBusy(fault(13)), isBusy(null)], [true, false, false]);
});
