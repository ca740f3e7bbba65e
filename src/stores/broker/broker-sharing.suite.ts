// What every broker must do where several processes write and read: claims that fence, groups that share.
import assert from 'node:assert/strict';
import type { Topic } from '../../contracts/topics.ts';
import { type Check, record, take, text } from './broker.suite.ts';
import { type Broker, FencedError, type TopicPartition, topicPartition } from './broker.ts';

const claimed = (topic: Topic, ...partitions: number[]): TopicPartition[] =>
  partitions.map((partition) => topicPartition(topic.name, partition));

export function claimTests(check: Check): void {
  check('what a claim appends is read, and is the tail', async (broker, topic) => {
    const claim = await broker.claim(`owner of ${topic.name}`, claimed(topic, 0, 1));
    await claim.append(['1', '2'].map((value) => record(topic.name, value)));
    await claim.append([record(topic.name, '3', { partition: 1 })]);
    const again = await broker.claim(`owner of ${topic.name}`, claimed(topic, 0, 1));
    const states = await broker.partitions(topic.name);
    assert.deepEqual(
      states.map(({ tail }) => tail && text(tail)),
      ['2', '3', null],
    );
    await again.append([record(topic.name, '4')]);
    const records = await take(broker, 4, { topics: [topic.name], group: 'g' });
    const here = records.filter(({ partition }) => partition === 0);
    assert.deepEqual(here.map(text), ['1', '2', '4']);
    assert.ok(here.every(({ offset }, i) => i === 0 || offset > here[i - 1]!.offset));
  });
}

export function fencingTests(check: Check): void {
  check('a claim ends the one before it, and no other', async (broker, topic, open) => {
    const owner = `owner of ${topic.name}`;
    const old = await broker.claim(owner, claimed(topic, 0, 1));
    const other = await broker.claim(`other ${owner}`, claimed(topic, 2));
    await old.append([record(topic.name, 'old')]);
    const next = await (await open()).claim(owner, claimed(topic, 0, 1));
    for (const partition of [0, 1])
      await assert.rejects(old.append([record(topic.name, 'late', { partition })]), FencedError);
    await next.append([record(topic.name, 'new'), record(topic.name, 'new', { partition: 1 })]);
    await assert.rejects(old.append([record(topic.name, 'later')]), FencedError);
    await other.append([record(topic.name, 'other', { partition: 2 })]);
    const records = await take(broker, 4, { topics: [topic.name], group: 'g' });
    assert.deepEqual(records.map(text).toSorted(), ['new', 'new', 'old', 'other']);
    const states = await broker.partitions(topic.name);
    assert.deepEqual(
      states.map(({ tail }) => text(tail!)),
      ['new', 'new', 'other'],
    );
  });
}

/** Reads on in a shared group, acknowledging, until stopped; `seen`: who read each value. */
function keepReading(broker: Broker, topic: Topic, name: string, seen: Map<string, string[]>) {
  const stop = new AbortController();
  const ended = (async () => {
    const options = { topics: [topic.name], group: topic.name, shared: true, signal: stop.signal };
    for await (const batch of broker.read(options)) {
      for (const found of batch.records) seen.set(text(found), [...(seen.get(text(found)) ?? []), name]);
      await batch.ack();
    }
  })();
  return async () => {
    stop.abort();
    await ended;
  };
}

export function sharingTests(check: Check): void {
  check(
    'readers of a group share its partitions, and go on where another left off',
    async (broker, topic, open) => {
      const seen = new Map<string, string[]>();
      const waitFor = async (values: readonly string[]) => {
        for (let i = 0; i < 300 && !values.every((value) => seen.has(value)); i++) await pause(50);
        assert.deepEqual(
          values.filter((value) => !seen.has(value)),
          [],
        );
      };
      const put = async (round: string) => {
        const values = [0, 1, 2, 3].map((partition) => ({ partition, value: `${round} ${partition}` }));
        await broker.append(values.map(({ partition, value }) => record(topic.name, value, { partition })));
        await waitFor(values.map(({ value }) => value));
        return values.map(({ value }) => seen.get(value)!.join());
      };
      const endOne = keepReading(broker, topic, 'one', seen);
      assert.deepEqual(await put('alone'), ['one', 'one', 'one', 'one']);
      const endTwo = keepReading(await open(), topic, 'two', seen);
      const even = ['one', 'one', 'two', 'two'].join();
      let readers: string[] = [];
      // While partitions change hands, a round may be read partly before and partly after.
      for (let i = 0; i < 40 && readers.join() !== even; i++) readers = (await put(`both ${i}`)).toSorted();
      assert.equal(readers.join(), even);
      await endOne();
      assert.deepEqual(await put('left'), ['two', 'two', 'two', 'two']);
      await endTwo();
      const again = [...seen].filter(([, names]) => names.length !== 1);
      assert.deepEqual(again, [], 'nothing came twice');
    },
    4,
  );
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
