import assert from 'node:assert/strict';
import test from 'node:test';
import { METRIC_TEXT_CHARS_MAX } from '../../contracts/metrics.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { fieldOf, readFields, type Scalar } from './fields.ts';

test('long texts are cut after whole characters', () => {
  const field = fieldOf(TOPICS.transactions.name, 'customer_name');
  const read = (text: string) => {
    const values: Scalar[] = [];
    assert.equal(readFields({ customer_name: text }, [field], values), null);
    return values[0];
  };
  const max = METRIC_TEXT_CHARS_MAX;
  assert.equal(read('x'.repeat(max)), 'x'.repeat(max));
  assert.equal(read(`${'x'.repeat(max)}y`), 'x'.repeat(max));
  assert.equal(read('😀'.repeat(max)), '😀'.repeat(max));
  assert.equal(read(`x${'😀'.repeat(max)}`), `x${'😀'.repeat(max - 1)}`);
  assert.equal(read(`${'x'.repeat(max - 1)}😀y`), `${'x'.repeat(max - 1)}😀`);
});

test('what the schema says of a text is told in full', () => {
  const currency = fieldOf(TOPICS.cartEvents.name, 'currency');
  assert.deepEqual([currency.texts, currency.pattern], [null, '^[A-Z]{3}$']);
  const op = fieldOf(TOPICS.cartEvents.name, 'op');
  assert.deepEqual([op.texts, op.pattern], [['recorded', 'updated', 'deleted'], null]);
});
