import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvOf, type Sheet } from './sheet.ts';

const sheet = (rows: ReturnType<Sheet['rows']>, currency?: string): Sheet => ({
  id: 'x',
  title: 'X',
  ...(currency !== undefined && { currency }),
  columns: [
    { name: 'name', label: 'Name', kind: 'text' },
    { name: 'at', label: null, kind: 'time' },
    { name: 'count', label: 'Count', kind: 'count' },
    ...(currency === undefined ? [] : [{ name: 'revenue', label: 'Revenue', kind: 'money' } as const]),
  ],
  rows: () => rows,
});
const lines = (text: string): string[] => text.slice(1).split('\r\n');

test('amounts in units with their currency, times in UTC, nothing for what is not known', () => {
  const csv = csvOf(
    sheet(
      [
        ['Books', 1_790_000_000_000, 3, 123_456],
        ['Toys', null, null, null],
      ],
      'EUR',
    ),
  );
  assert.equal(csv[0], '\ufeff');
  assert.deepEqual(lines(csv), [
    'name,at,count,revenue,currency',
    'Books,2026-09-21T14:13:20.000Z,3,1234.56,EUR',
    'Toys,,,,EUR',
    '',
  ]);
  assert.equal(lines(csvOf(sheet([])))[0], 'name,at,count');
});

test('quotes, commas and lines stay one field; what a spreadsheet would run is text', () => {
  const name = (text: string) => lines(csvOf(sheet([[text, null, -5]])))[1];
  assert.equal(name('a "b", c'), '"a ""b"", c",,-5');
  assert.equal(name('a\nb'), '"a\nb",,-5');
  assert.equal(name('=1+1'), "'=1+1,,-5");
  assert.equal(name('@SUM(A1)'), "'@SUM(A1),,-5");
});
