import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { Cut } from './cut.ts';
import type { SparkRow } from './row.ts';

const row = (batchMs: number, key = 'k'): SparkRow => ({
  generation: 'g',
  batchMs,
  definition: 'searches',
  key: [key],
  windowEnd: 30_000,
  events: 1,
  values: [],
  labels: [],
  newestEventTime: 0,
  newestCommittedAt: 0,
});

let cut: Cut;
const next = [0, 0];
/** Reads the next row of a partition; whether it may be taken now. */
const read = (partition: number, batchMs: number, key?: string): boolean => {
  const taken = cut.offer(partition, next[partition]!++, row(batchMs, key));
  cut.settle();
  return taken;
};
const look = (ends: readonly number[], isAtRest = false) =>
  cut.look({ ends, through: isAtRest ? cut.newest : cut.newest - 1 });

beforeEach(() => {
  next.fill(0);
  cut = new Cut([0, 0], 0);
});

test('nothing is saved in the middle of a batch, however long it is half written', () => {
  read(0, 10);
  cut.aim();
  assert.equal(cut.isReached, false);
  // All there is has been read, but nobody says that the batch is done.
  look([1, 0]);
  assert.equal(cut.isReached, false);
  assert.equal(read(1, 10), true);
  look([1, 1]);
  assert.equal(cut.isReached, false);
});

test('a batch is whole where rows of a later one were read; these are kept back until it is saved', () => {
  read(0, 10);
  read(1, 10);
  cut.aim();
  assert.equal(read(0, 20, 'late'), false);
  assert.equal(cut.isReached, false, 'partition 1 may hold more of batch 10');
  assert.equal(read(1, 10), true);
  assert.equal(read(1, 20, 'later'), false);
  assert.equal(cut.isReached, true);
  assert.deepEqual(cut.place, { next: [1, 2], batch: 10 });
  assert.deepEqual(
    cut.release().map(({ key }) => key[0]),
    ['late', 'later'],
  );
  assert.deepEqual(cut.place, { next: [2, 3], batch: 20 });
  assert.equal(cut.whole, 19);
});

test('a partition without rows of a later batch is whole up to the end it had after one was seen', () => {
  read(0, 10);
  cut.aim();
  read(0, 20);
  look([2, 3]);
  for (let rows = 0; rows < 3; rows++) {
    assert.equal(cut.isReached, false);
    assert.equal(read(1, 10), true);
  }
  assert.equal(cut.isReached, true);
});

test('when nothing follows, the newest batch is whole once the query is at rest', () => {
  read(0, 10);
  cut.aim();
  look([1, 1], true);
  assert.equal(cut.isLookWanted, false, 'one look at a time');
  assert.equal(cut.isReached, false, 'partition 1 is not read to the end it had then');
  read(1, 10);
  assert.equal(cut.isReached, true);
  assert.deepEqual(cut.place, { next: [1, 1], batch: 10 });
  assert.equal(cut.isLookWanted, false);
});

test('records that are no rows of this generation move the place, and say nothing of batches', () => {
  read(0, 10);
  cut.pass(1, 7);
  cut.aim();
  look([1, 8], true);
  assert.deepEqual(cut.place, { next: [1, 8], batch: 10 });
  assert.equal(cut.isReached, true);
});

test('what a batch writes when it is run again is taken, and is no new batch', () => {
  read(0, 10);
  read(0, 20);
  cut.aim();
  assert.equal(read(1, 20), true);
  assert.equal(cut.whole, 19);
  assert.equal(read(1, 20), true);
  assert.equal(read(0, 20), true);
  assert.equal(cut.isReached, false);
});

test('a cut for which too much would have to be kept back is given up', () => {
  read(0, 10);
  cut.aim();
  for (let rows = 0; rows <= 20_000; rows++) {
    assert.equal(cut.isOverfull, false);
    read(0, 20);
  }
  assert.equal(cut.isOverfull, true);
  assert.equal(cut.release().length, 20_001);
  assert.equal(cut.isAimed, false);
  assert.equal(read(0, 20), true);
});

test('going on from a saved place, what was whole then still is', () => {
  cut = new Cut([5, 5], 10);
  cut.aim();
  assert.equal(cut.isReached, true);
});
