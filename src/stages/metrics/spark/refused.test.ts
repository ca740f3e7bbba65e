import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { type MemoryBroker, memoryBroker } from '../../../../test/support/memory-broker.ts';
import { DEAD_LETTER_HEADERS } from '../../../contracts/dead-letter.ts';
import { TOPICS } from '../../../contracts/topics.ts';
import { refusedLetters } from './refused.ts';
import type { SparkRow } from './row.ts';

let broker: MemoryBroker;
beforeEach(() => {
  broker = memoryBroker(Object.values(TOPICS));
});

const { name: topic } = TOPICS.searches;
const append = (partition: number, count: number) =>
  broker.append(
    Array.from({ length: count }, (_, i) => {
      const value = Buffer.from(`${partition}/${i}`);
      return { topic, partition, key: `k${i}`, value, headers: { position: String(i) } };
    }),
  );
const refused = (partition: number, offset: number): SparkRow => ({
  generation: 'g',
  batchMs: 1,
  definition: '_refused',
  key: [topic, String(partition), String(offset), 'schema', 'currency is missing'],
  windowEnd: 1,
  events: 1,
  values: [],
  labels: [],
  newestEventTime: 0,
  newestCommittedAt: 0,
});

test('the very records are found, near and far, in the order of the rows', async () => {
  await append(0, 20_000);
  await append(3, 10);
  let readings = 0;
  const counting = {
    partitions: broker.partitions,
    read: (options: Parameters<MemoryBroker['read']>[0]) => {
      readings++;
      return broker.read(options);
    },
  };
  const places = [
    [0, 19_999],
    [0, 0],
    [3, 7],
    [0, 1],
  ] as const;
  const letters = await refusedLetters(
    counting,
    places.map(([partition, offset]) => refused(partition, offset)),
  );
  assert.deepEqual(
    letters.map(({ partition, key, value, headers }) => [
      partition,
      key,
      Buffer.from(value).toString(),
      headers['position'],
      headers[DEAD_LETTER_HEADERS.offset],
      headers[DEAD_LETTER_HEADERS.reason],
      headers[DEAD_LETTER_HEADERS.message],
    ]),
    places.map(([partition, offset]) => [
      partition,
      `k${offset}`,
      `${partition}/${offset}`,
      String(offset),
      String(offset),
      'schema',
      'currency is missing',
    ]),
  );
  assert.equal(readings, 2, 'not all that lies between is read');
});

test('of a record that is gone the letter is empty and says so', async () => {
  await append(0, 5);
  const partitions: MemoryBroker['partitions'] = async (name) =>
    (await broker.partitions(name)).map((state) => ({ ...state, start: Math.min(3, state.end) }));
  const letters = await refusedLetters({ read: broker.read, partitions }, [refused(0, 1), refused(0, 4)]);
  assert.deepEqual(
    letters.map(({ value }) => Buffer.from(value).toString()),
    ['', '0/4'],
  );
  assert.match(letters[0]!.headers[DEAD_LETTER_HEADERS.message]!, /was no longer in its topic/);
});
