import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEAD_LETTER_HEADERS } from '../../contracts/dead-letter.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../contracts/events/transaction.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { ledgerDigest } from '../../lib/digest.ts';
import { eventId } from '../../lib/ids.ts';
import { positionOf } from '../../lib/position.ts';
import type { BrokerRecord, PartitionState } from '../../stores/broker/broker.ts';
import { compare } from './compare.ts';
import { LogFold } from './fold.ts';
import { Letters } from './letters.ts';
import { logScope, warehouseScope } from './scope.ts';
import { DAY_MS, dayOf, type Sums, Totals } from './sums.ts';
import { Visits } from './visits.ts';

const DAY = dayOf(TRANSACTION_EXAMPLE.sale_time);
const sums = (entries: Record<string, readonly [number, number, bigint]>): Sums => {
  const totals = new Totals();
  for (const [key, values] of Object.entries(entries)) totals.add(key, ...values);
  return totals.sums;
};
const rowsAndCents = (totals: Sums) => [...totals].map(([key, { rows, minor }]) => [key, rows, minor]);

const sale = (offset: number, change: Partial<TransactionEvent>, headers = {}): BrokerRecord => {
  const source_position = positionOf(BigInt(offset + 10), 0);
  const event = { ...TRANSACTION_EXAMPLE, event_id: eventId(`${offset}`), source_position, ...change };
  return {
    topic: TOPICS.transactions.name,
    partition: 0,
    offset,
    key: '1042',
    timestamp: 0,
    value: Buffer.from(JSON.stringify(event)),
    headers: { [HEADERS.position]: source_position, ...headers },
  };
};
const letter = (stage: string, reason: string, record: BrokerRecord): BrokerRecord => ({
  ...record,
  topic: TOPICS.deadLetters.name,
  headers: {
    ...record.headers,
    [DEAD_LETTER_HEADERS.topic]: record.topic,
    [DEAD_LETTER_HEADERS.partition]: String(record.partition),
    [DEAD_LETTER_HEADERS.offset]: String(record.offset),
    [DEAD_LETTER_HEADERS.stage]: stage,
    [DEAD_LETTER_HEADERS.reason]: reason,
  },
});
const REFUND = { op: 'status_changed', status: 'refunded', previous_status: 'completed' } as const;
const fold = (cut: bigint, offset: number, letters = new Letters()) => {
  const offsets = new Map([['transactions/0', offset]]);
  return new LogFold({ instashop: cut, crm: null, warehouse: offsets, windows: offsets }, letters);
};

test('a record counts up to each cut: commit before the shop’s place, offset before the readers’', () => {
  const log = fold(11n, 1);
  log.take(sale(0, {}));
  log.take(sale(1, { ...REFUND, previous_total_amount_minor: 5998 }));
  assert.deepEqual(rowsAndCents(log.shop.sales.sums), [[`${DAY}|USD|completed`, 1, 5998]]);
  assert.deepEqual(rowsAndCents(log.warehouse.sales.sums), [[`${DAY}|USD|completed`, 1, 5998]]);
  assert.deepEqual(rowsAndCents(log.windows.records.sums), [[`${DAY}|transactions`, 1, 0]]);
});

test('the signed ledger: what is taken back leaves rows, cents and digest', () => {
  const log = fold(99n, 99);
  log.take(sale(0, {}));
  log.take(sale(1, { ...REFUND, previous_total_amount_minor: 5998 }));
  log.take(sale(2, { op: 'items_changed', status: 'refunded', previous_status: 'refunded' }));
  const { sums: ledger } = log.shop.sales;
  assert.deepEqual(ledger.get(`${DAY}|USD|completed`), { rows: 0, minor: 0, digest: 0n });
  const refunded = { rows: 1, minor: 5998, digest: ledgerDigest(1042, 'refunded', 5998) };
  assert.deepEqual(ledger.get(`${DAY}|USD|refunded`), refunded);
});

test('refused records are not expected, replayed ones are, once; a replay is no second change', () => {
  const letters = new Letters();
  letters.take(letter('loader', 'invalid_text', sale(0, {})));
  letters.take(letter('loader', 'invalid_text', sale(0, {})));
  const log = fold(99n, 99, letters);
  const replay = { [HEADERS.replayOf]: 'dead_letters/0/0', [HEADERS.replayFor]: 'loader' };
  log.take(sale(0, {}));
  assert.equal(log.warehouse.sales.sums.size, 0);
  log.take(sale(1, { event_id: eventId('0') }, replay));
  log.take(sale(2, { event_id: eventId('0') }, replay));
  assert.deepEqual(rowsAndCents(log.warehouse.sales.sums), [[`${DAY}|USD|completed`, 1, 5998]]);
  assert.deepEqual(rowsAndCents(log.shop.sales.sums), [[`${DAY}|USD|completed`, 1, 5998]]);
  assert.deepEqual(rowsAndCents(log.windows.records.sums), [[`${DAY}|transactions`, 1, 0]]);
  assert.deepEqual(log.once.result(), [{ topic: 'transactions', changes: 1, repeats: 0 }]);
  assert.deepEqual([...letters.counts], [['loader invalid_text', 1]]);
});

test('a repeated event id, and a position that does not rise, are repeats', () => {
  const log = fold(99n, 99);
  log.take(sale(0, {}));
  log.take(sale(1, { event_id: eventId('0') }));
  log.take({ ...sale(1, {}), offset: 2 });
  assert.deepEqual(log.once.result(), [{ topic: 'transactions', changes: 3, repeats: 2 }]);
});

test('visits: deleted ones are gone, changed ones have their newest type on the day they were recorded', () => {
  const visits = new Visits();
  const visit = (id: number, op: string, ordinal: number, interaction_type = 'view') =>
    visits.take({
      op,
      interaction_id: id,
      interaction_type,
      event_time: ordinal * DAY_MS,
      source_position: positionOf(1n, ordinal),
    });
  for (const id of [1, 2, 3, 4]) visit(id, 'recorded', 0);
  visit(2, 'deleted', 1);
  visit(3, 'updated', 3, 'new');
  visit(3, 'updated', 2, 'old');
  assert.deepEqual(rowsAndCents(visits.sums(new Set([4]))), [
    ['1970-01-01|view', 1, 0],
    ['1970-01-01|new', 1, 0],
  ]);
});

const both = (left: Sums, right: Sums, whole = true) =>
  compare({ what: 'sales', left: ['shop', left], right: ['log', right], scope: () => true, whole });

test('a comparison sees a difference of rows, of cents, and of the digest alone', () => {
  const base = sums({ 'd|USD|completed': [2, 30, 7n] });
  assert.equal(
    both(base, sums({ 'd|USD|completed': [2, 30, 7n], 'd|USD|failed': [0, 0, 0n] })).verdict,
    'agree',
  );
  for (const other of [
    [1, 30, 7n],
    [2, 31, 7n],
    [2, 30, 8n],
  ] as const) {
    assert.equal(both(base, sums({ 'd|USD|completed': other })).differing, 1);
  }
  assert.equal(both(base, sums({})).verdict, 'differ');
});

test('what was only dated anew agrees, unless days are missing anyway', () => {
  const left = sums({ 'd1|USD|completed': [1, 30, 7n], 'd2|USD|failed': [1, 5, 3n] });
  const moved = sums({ 'd2|USD|completed': [1, 30, 7n], 'd2|USD|failed': [1, 5, 3n] });
  assert.equal(both(left, moved).verdict, 'agree');
  assert.equal(both(left, moved, false).differing, 2);
  const lost = sums({ 'd2|USD|completed': [1, 30, 7n] });
  assert.deepEqual(
    both(left, lost).differences.map(({ key }) => key),
    ['all days|USD|failed'],
  );
});

test('after retention only days wholly in the log are compared, and none that the warehouse dropped', () => {
  const state = (start: number): PartitionState => ({
    topic: 'transactions',
    partition: 0,
    topicId: 'x',
    start,
    end: 9,
    tail: null,
  });
  const now = Date.UTC(2026, 10, 24, 12);
  const oldest = new Map([['transactions/0', now - 3 * DAY_MS]]);
  const cut = logScope([state(5)], oldest, now);
  assert.deepEqual(['2026-11-21', '2026-11-22', ''].map(cut.includes), [false, true, false]);
  const whole = logScope([state(0)], oldest, now);
  const days = ['2026-11-10', '2026-11-16', '2026-11-20', '+012345-01-01'.slice(2), ''];
  const scope = warehouseScope(
    whole,
    oldest,
    7,
    now,
    days.map((day) => `${day}|x`),
  );
  assert.deepEqual(days.map(scope.includes), [true, false, true, true, true]);
});
