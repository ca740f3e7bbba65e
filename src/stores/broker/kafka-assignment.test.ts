import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { TopicPartition } from './broker.ts';
import { assign, type MemberClaim } from './kafka-assignment.ts';

const member = (id: string, owned: readonly string[], generation = 1): MemberClaim => ({
  id,
  generation,
  owned: owned as readonly TopicPartition[],
});

const topics = new Map([['t', 6]]);
const all = [0, 1, 2, 3, 4, 5].map((partition) => `t/${partition}`);

test('the only reader gets all', () => {
  assert.deepEqual(assign([member('a', [])], topics).get('a'), all);
});

test('what goes to another is given up first, and then shared out', () => {
  const first = assign([member('a', all), member('b', [], -1)], topics);
  assert.deepEqual(first.get('a'), all.slice(0, 3));
  assert.deepEqual(first.get('b'), []);
  const second = assign([member('a', all.slice(0, 3), 2), member('b', [], 2)], topics);
  assert.deepEqual(second.get('b'), all.slice(3));
});

test('nobody who stays gives up what is its share', () => {
  const after = assign([member('a', all.slice(0, 2)), member('b', all.slice(2, 4))], topics);
  assert.deepEqual(after.get('a')!.slice(0, 2), all.slice(0, 2));
  assert.deepEqual(after.get('b')!.slice(0, 2), all.slice(2, 4));
  assert.deepEqual([...after.values()].flat().sort(), all);
});

test('what an old generation says it has counts for nothing', () => {
  const after = assign([member('old', all, 1), member('new', all.slice(0, 3), 2)], topics);
  assert.deepEqual(after.get('new'), all.slice(0, 3));
  assert.deepEqual(after.get('old'), all.slice(3));
});

test('after two rounds every partition has one reader, and shares are even', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.nat({ max: 9 }), { maxLength: 40 }),
      (count, sizes, owners) => {
        const of = new Map(sizes.map((size, index) => [`t${index}`, size]));
        const names = sizes.flatMap((size, index) =>
          Array.from({ length: size }, (_, n) => `t${index}/${n}` as TopicPartition),
        );
        const ids = Array.from({ length: count }, (_, n) => `m${n}`);
        let claims = ids.map((id, n) => ({
          id,
          generation: 1,
          owned: names.filter((_, at) => owners[at] === n),
        }));
        for (let round = 2; round < 4; round++) {
          const next = assign(claims, of);
          for (const { id } of claims) {
            const taken = next
              .get(id)!
              .filter((name) => claims.some((c) => c.id !== id && c.owned.includes(name)));
            assert.deepEqual(taken, [], 'never while another may still read it');
          }
          claims = claims.map(({ id }) => ({ id, generation: round, owned: [...next.get(id)!] }));
        }
        assert.deepEqual(claims.flatMap(({ owned }) => owned).sort(), names.toSorted());
        for (const [topic, size] of of) {
          const shares = claims.map(
            ({ owned }) => owned.filter((name) => name.startsWith(`${topic}/`)).length,
          );
          assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${topic} of ${size}: ${shares}`);
        }
      },
    ),
  );
});
