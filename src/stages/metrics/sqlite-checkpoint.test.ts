import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { afterEach, beforeEach } from 'node:test';
import { METRICS } from '../../contracts/metrics.ts';
import { type Log, silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import type { CheckpointChanges } from './checkpoint.ts';
import { openSqliteCheckpoint, readAccounting } from './sqlite-checkpoint.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'instashop-checkpoint-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const open = (definitions = METRICS, log: Log = silentLog) => openSqliteCheckpoint(dir, definitions, log);

const cell = (id: number, windowStart: number, count: number, members: string[]) => ({
  id,
  definition: 'behavior',
  windowStart,
  group: ['website_visit'],
  state: {
    sums: [count, members.length],
    labels: [],
    events: count,
    revision: 0,
    newestEventTime: windowStart,
    newestCommittedAt: windowStart,
  },
  added: members.length === 0 ? null : [members],
});
const changes = (nextOffset: number, change: Partial<CheckpointChanges> = {}): CheckpointChanges => ({
  offsets: [{ source: 'transactions/0', topicId: 'a', nextOffset, newest: null }],
  meta: { watermark: { value: nextOffset, idleMs: 0 } },
  cells: [],
  evicted: [],
  ledgers: [],
  tallies: [],
  ...change,
});

test('what was saved is loaded again, members of distincts over several saves together', () => {
  const first = open();
  assert.equal(first.load(), null);
  const ledger = {
    kind: 'settled',
    definition: 'behavior',
    day: '2026-11-24',
    group: 'x',
    sums: [3, 0],
  } as const;
  first.save(
    changes(5, { cells: [cell(1, 0, 2, ['a', 'b'])], ledgers: [{ ...ledger, sums: [...ledger.sums] }] }),
  );
  first.save(changes(9, { cells: [cell(1, 0, 3, ['c']), cell(2, 30_000, 1, [])] }));
  first.close();
  const state = open().load()!;
  const cells = [...state.cells];
  assert.equal(state.offsets[0]!.nextOffset, 9);
  assert.deepEqual(state.meta['watermark'], { value: 9, idleMs: 0 });
  assert.deepEqual(
    cells.map(({ id, members }) => [id, members]),
    [
      [1, [['a', 'b', 'c']]],
      [2, []],
    ],
  );
  assert.deepEqual(cells[0]!.state.sums, [3, 1]);
  assert.deepEqual(
    state.ledgers.map((row) => ({ ...row })),
    [ledger],
  );
});

test('state and offsets are saved together or not at all', () => {
  const checkpoint = open();
  checkpoint.save(changes(5, { cells: [cell(1, 0, 2, ['a'])] }));
  const broken = changes(9, {
    cells: [cell(1, 0, 3, ['b'])],
    tallies: [{ topic: 'transactions', day: '', fate: 'refused', count: Number.NaN }],
  });
  assert.throws(() => checkpoint.save(broken), /NOT NULL/);
  checkpoint.close();
  const state = open().load()!;
  assert.equal(state.offsets[0]!.nextOffset, 5);
  assert.deepEqual(
    [...state.cells].map(({ state: { events }, members }) => [events, members]),
    [[2, [['a']]]],
  );
});

test('windows that are gone are removed with their members', () => {
  const checkpoint = open();
  checkpoint.save(changes(1, { cells: [cell(1, 0, 1, ['a']), cell(2, 30_000, 1, ['b'])] }));
  checkpoint.save(changes(2, { evicted: [0] }));
  checkpoint.save(changes(3, { cells: [cell(1, 60_000, 1, ['c'])] }));
  const cells = [...checkpoint.load()!.cells];
  assert.deepEqual(
    cells.map(({ id, members }) => [id, members]),
    [
      [1, [['c']]],
      [2, [['b']]],
    ],
  );
  checkpoint.close();
});

test('a checkpoint of other definitions is not gone on from, and is said out loud', () => {
  const before = open();
  before.save(changes(5, { cells: [cell(1, 0, 2, ['a'])] }));
  before.close();
  const warnings: string[] = [];
  const other = open(METRICS.slice(1), { ...silentLog, warn: (message) => warnings.push(message) });
  assert.equal(other.load(), null);
  assert.match(warnings.join(), /computed anew/);
  assert.equal(readAccounting(dir), null);
  other.save(changes(1));
  assert.deepEqual([...other.load()!.cells], []);
  other.close();
});

test('a second process takes the checkpoint over, and the first cannot save any more', () => {
  const first = open();
  first.save(changes(5));
  const second = open();
  assert.throws(() => first.save(changes(6)), /taken over/);
  second.save(changes(7));
  assert.equal(second.load()!.offsets[0]!.nextOffset, 7);
  first.close();
  second.close();
});

test('accounting is null where no checkpoint is', () => {
  assert.equal(readAccounting(dir), null);
});

test('a file that is busy is a fault that passes: nothing is saved, and the next save may succeed', () => {
  const checkpoint = open();
  checkpoint.save(changes(5));
  const file = new DatabaseSync(join(dir, 'checkpoint.db'));
  file.exec('BEGIN IMMEDIATE');
  assert.throws(() => checkpoint.save(changes(6)), isRetryable);
  file.exec('ROLLBACK');
  file.close();
  checkpoint.save(changes(7));
  assert.equal(checkpoint.load()!.offsets[0]!.nextOffset, 7);
  checkpoint.close();
});

test('a full disk at the start is a fault that passes, and so is one when a changed checkpoint is emptied', () => {
  const path = join(dir, 'checkpoint.db');
  const first = open();
  first.save(changes(1));
  first.close();
  // SQLite says "database or disk is full" (SQLITE_FULL) also of a table whose row numbers are used up.
  const filling = (table: string) => {
    const db = new DatabaseSync(path);
    db.exec(`
      CREATE TABLE used_up (id INTEGER PRIMARY KEY AUTOINCREMENT);
      INSERT INTO used_up VALUES (9223372036854775807);
      CREATE TRIGGER fill BEFORE DELETE ON ${table} BEGIN INSERT INTO used_up VALUES (NULL); END;`);
    return () => {
      db.exec('DROP TRIGGER fill; DROP TABLE used_up');
      db.close();
    };
  };
  const emptied = filling('owner');
  assert.throws(open, isRetryable);
  emptied();
  const other = open(METRICS.slice(1));
  const again = filling('offsets');
  assert.throws(() => other.load(), isRetryable);
  again();
  assert.equal(other.load(), null);
  other.close();
});
