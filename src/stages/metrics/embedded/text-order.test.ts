import assert from 'node:assert/strict';
import test from 'node:test';
import { isGreater } from './text-order.ts';

test('the order is that of UTF-8 bytes', () => {
  const texts = [
    '',
    'a',
    'ab',
    'b',
    'Z',
    'é',
    '\u4e00',
    '\ud7ff',
    '\ue000',
    '\uff5e',
    '😀',
    '😀a',
    '\u{10ffff}',
  ];
  for (const a of texts) {
    for (const b of texts) {
      assert.equal(isGreater(a, b), Buffer.compare(Buffer.from(a), Buffer.from(b)) > 0, `${a} ${b}`);
    }
  }
  // JavaScript's own order is another one.
  assert.ok('\uff5e' > '😀');
});

test('everything comes after null', () => {
  assert.ok(isGreater('', null));
});
