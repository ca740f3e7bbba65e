import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Address, addressQuery, HOUR_MS, liveScope, parseAddress, wholeHours } from './address.ts';

const PLAIN = parseAddress('');

test('what the address says is what is written into it, and nothing that goes without saying', () => {
  assert.equal(addressQuery(PLAIN), '');
  const from = Date.parse('2026-03-01T10:00Z');
  const states: Address[] = [
    { ...PLAIN, period: '1h', compare: 'none', paused: true, tables: ['revenue', 'heat'] },
    { ...PLAIN, period: 'custom', from, to: from + 48 * HOUR_MS, compare: 'weekday' },
    { ...PLAIN, lang: 'es', theme: 'dark', currency: 'EUR', filter: { by: 'category', of: 'Casa & jardín' } },
    { ...PLAIN, period: '24h', filter: { by: 'merchant', of: '7' } },
    { ...PLAIN, view: 'kiosk' },
  ];
  for (const state of states) assert.deepEqual(parseAddress(addressQuery(state)), state);
  assert.equal(addressQuery(PLAIN, '?utm=x&merchant=7'), '?utm=x');
});

test('what the address says wrong is as if it were not said', () => {
  for (const search of [
    '?window=7m',
    '?window=toString',
    '?compare=x',
    '?merchant=abc',
    '?paused=yes',
    '?view=toString',
    '?category=',
  ]) {
    assert.deepEqual(parseAddress(search), PLAIN, search);
  }
  assert.equal(parseAddress('?window=custom&from=2026-03-02T00:00Z&to=2026-03-01T00:00Z').period, '24h');
  assert.equal(parseAddress('?window=custom&from=x').period, '24h');
  assert.deepEqual(parseAddress('?merchant=7&category=Books').filter, { by: 'merchant', of: '7' });
});

test('hours are whole, and 744 at most', () => {
  const at = Date.parse('2026-03-01T10:20Z');
  assert.deepEqual(wholeHours(at, at + 1), {
    from: Date.parse('2026-03-01T10:00Z'),
    to: Date.parse('2026-03-01T11:00Z'),
  });
  assert.equal(wholeHours(at, at), null);
  assert.equal(wholeHours(Number.NaN, at), null);
  assert.equal(wholeHours(at, 9e15), null);
  const long = wholeHours(at - 2_000 * HOUR_MS, at)!;
  assert.equal(long.to - long.from, 744 * HOUR_MS);
});

test('the stream goes on while whole hours are shown', () => {
  assert.deepEqual(liveScope({ ...PLAIN, period: '5m' }), { period_s: 300, filter: null });
  assert.deepEqual(liveScope({ ...PLAIN, period: '24h' }), { period_s: 900, filter: null });
});
