import assert from 'node:assert/strict';
import test from 'node:test';
import { deadLetterRecord } from './dead-letters.ts';

test('a dead letter keeps key, bytes, headers and partition, and says where it came from and why', () => {
  const value = Buffer.from('{"broken');
  const record = {
    topic: 'transactions',
    partition: 4,
    key: '1042',
    value,
    headers: { position: '0000000000000001.00000000' },
    offset: 17,
    timestamp: 5,
  };
  assert.deepEqual(deadLetterRecord(record, 'metrics', 'invalid_json', `x${'y'.repeat(600)}`), {
    topic: 'dead_letters',
    partition: 4,
    key: '1042',
    value,
    headers: {
      position: '0000000000000001.00000000',
      '__connect.errors.topic': 'transactions',
      '__connect.errors.partition': '4',
      '__connect.errors.offset': '17',
      '__connect.errors.connector.name': 'metrics',
      '__connect.errors.exception.class.name': 'invalid_json',
      '__connect.errors.exception.message': `x${'y'.repeat(499)}`,
    },
  });
});
