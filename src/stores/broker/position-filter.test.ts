import assert from 'node:assert/strict';
import test from 'node:test';
import { HEADERS } from '../../contracts/topics.ts';
import { PositionFilter } from './position-filter.ts';

const at = (position: string, partition = 0, more: Record<string, string> = {}) => ({
  topic: 'transactions',
  partition,
  headers: { [HEADERS.position]: position, ...more },
});

test('positions rise within a partition; what does not rise is dropped, also after a restart', () => {
  const filter = new PositionFilter();
  assert.deepEqual(
    [at('05'), at('05'), at('04'), at('06'), at('01', 1)].map((record) => filter.admit(record)),
    [true, false, false, true, true],
  );
  assert.equal(filter.dropped, 2);
  const again = new PositionFilter(JSON.parse(JSON.stringify(filter.export())));
  assert.deepEqual(
    [at('06'), at('07'), at('01', 1), at('02', 1)].map((record) => again.admit(record)),
    [false, true, false, true],
  );
});

test('records without a position and replayed dead letters pass and change nothing', () => {
  const filter = new PositionFilter();
  filter.admit(at('05'));
  assert.equal(filter.admit({ topic: 'transactions', partition: 0, headers: {} }), true);
  assert.equal(filter.admit(at('03', 0, { [HEADERS.replayOf]: 'dead_letters/0/1' })), true);
  assert.equal(filter.admit(at('09', 0, { [HEADERS.replayOf]: 'dead_letters/0/2' })), true);
  assert.equal(filter.admit(at('06')), true);
});
