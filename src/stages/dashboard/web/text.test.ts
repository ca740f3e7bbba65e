import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatsOf } from './format.ts';
import { en } from './text-en.ts';
import { es as spanish } from './text-es.ts';

const leaves = (value: unknown, path: string): [string, string][] =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).flatMap(([name, inner]) => leaves(inner, `${path}.${name}`))
    : [[path, typeof value === 'function' ? String(value('A', 'B', 'C', 'D')) : String(value)]];

/** Words that both languages write alike. */
const ALIKE = /^\.(interactions\..*|periods\..*|.*bytes)$/;

test('every text is there in both languages, and none was left untranslated', () => {
  const es = new Map(leaves(spanish, ''));
  for (const [path, text] of leaves(en, '')) {
    assert.ok(es.get(path), path);
    if (!ALIKE.test(path)) assert.notEqual(es.get(path), text, path);
  }
});

test('numbers, money and ages are written as the reader writes them', () => {
  const en = formatsOf('en');
  const es = formatsOf('es');
  const plain = (text: string): string => text.replaceAll(/\s/g, ' ');
  assert.equal(en.money(123_456, 'USD'), '$1,234.56');
  assert.equal(plain(es.money(123_456, 'EUR')), '1.234,56 €');
  assert.equal(es.count(1_234), '1.234');
  assert.deepEqual([0, 431, 9_899, 9_950, 59_999, 61_000, 3_600_000].map(en.age).map(plain), [
    '0.1 s',
    '0.5 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min',
    '1 hr',
  ]);
  assert.equal(plain(es.age(431)), '0,5 s');
  assert.equal(plain(en.bytes(2_048)), '2.0 kB');
});
