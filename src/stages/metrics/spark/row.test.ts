import assert from 'node:assert/strict';
import test from 'node:test';
import { parseSparkRow } from './row.ts';

const ROW = {
  g: 'g1',
  b: 1_795_517_589_000,
  d: 'searches',
  k: [null],
  w: 1_795_517_610_000,
  n: 3,
  v: [3, 1.5e1, null],
  l: ['a', null],
  t: 1_795_517_589_120,
  c: 1_795_517_589_131,
};
const parse = (row: unknown) => parseSparkRow(Buffer.from(JSON.stringify(row)));

test('a row is read', () => {
  assert.deepEqual(parse(ROW), {
    generation: 'g1',
    batchMs: 1_795_517_589_000,
    definition: 'searches',
    key: [null],
    windowEnd: 1_795_517_610_000,
    events: 3,
    values: [3, 15, null],
    labels: ['a', null],
    newestEventTime: 1_795_517_589_120,
    newestCommittedAt: 1_795_517_589_131,
  });
});

test('what is no row is refused, and the message names the field', () => {
  for (const [field, wrong] of [
    ['g', 1],
    ['b', '1'],
    ['w', 1.5],
    ['k', [1]],
    ['v', ['1']],
    ['l', null],
    ['n', undefined],
  ] as const) {
    assert.throws(() => parse({ ...ROW, [field]: wrong }), new RegExp(`"${field}"`));
  }
  assert.throws(() => parse(null), /no object/);
  assert.throws(() => parseSparkRow(Buffer.from('{')), SyntaxError);
});
