import assert from 'node:assert/strict';
import test from 'node:test';
import { GroupCommit, type Work } from './group-commit.ts';

const work = (bytes = 1): Work => ({ records: [], bytes, commit: null });
const busy = () => Object.assign(new Error('database is locked'), { errcode: 5 });

test('calls of one turn share a transaction, later ones have their own', async () => {
  const groups: number[] = [];
  const commits = new GroupCommit((group) => groups.push(group.length));
  await Promise.all([commits.add(work()), commits.add(work()), commits.add(work())]);
  await commits.add(work());
  assert.deepEqual(groups, [3, 1]);
});

test('a transaction is bounded in bytes; a larger call goes alone', async () => {
  const groups: number[] = [];
  const commits = new GroupCommit((group) => groups.push(group.length));
  const sizes = [3 << 20, 1 << 20, 1, 9 << 20, 1];
  await Promise.all(sizes.map((bytes) => commits.add(work(bytes))));
  assert.deepEqual(groups, [2, 1, 1, 1]);
});

test('a fault rejects every call of its group and no other', async () => {
  let faults = 1;
  const commits = new GroupCommit(() => {
    if (faults-- > 0) throw new Error('full');
  });
  const first = await Promise.allSettled([commits.add(work()), commits.add(work())]);
  assert.deepEqual(
    first.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  await commits.add(work());
  await commits.idle();
});

test('waits for a busy file and gives up in the end', async () => {
  let left = 3;
  const commits = new GroupCommit(() => {
    if (left-- > 0) throw busy();
  });
  await commits.add(work());
  left = Number.POSITIVE_INFINITY;
  await assert.rejects(commits.add(work()), /locked/);
  await commits.idle();
});
