import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeBatch, splitBatches } from './kafka-decode.ts';
import { encodeBatch, recordBytes } from './kafka-encode.ts';

test('an empty value is a tombstone on the wire, and comes back empty', () => {
  const records = ['', 'x'].map((text) => ({
    topic: 't',
    partition: 0,
    key: 'k',
    value: Buffer.from(text),
    headers: {},
  }));
  const bytes = records.reduce((sum, record) => sum + recordBytes(record), 0);
  const sent = encodeBatch(records, bytes, { id: 1n, epoch: 0 }, 0, 1_000);
  // Length, attributes, time, offset, key length, key; then the length of the value: -1 as a zigzag number.
  assert.equal(sent[61 + 6], 1);
  const [batch] = splitBatches(sent).batches;
  assert.deepEqual(
    decodeBatch(batch!, 't', 0, 0).map(({ value }) => String(value)),
    ['', 'x'],
  );
});
