// What every broker must do, whatever holds the log.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Topic } from '../../contracts/topics.ts';
import {
  type Broker,
  type BrokerRecord,
  OffsetOutOfRangeError,
  type OutgoingRecord,
  type ReadBatch,
  type ReadOptions,
  RecordTooLargeError,
  type TopicPartition,
  topicPartition,
} from './broker.ts';
import { claimTests, fencingTests, sharingTests } from './broker-sharing.suite.ts';

/** Opens an instance onto the same log each time it is called. The suite closes what it opens. */
export type OpenBroker = () => Promise<Broker>;

export const text = (record: BrokerRecord): string => Buffer.from(record.value).toString();

export const record = (
  topic: string,
  value: string,
  change: Partial<OutgoingRecord> = {},
): OutgoingRecord => ({
  topic,
  partition: 0,
  key: null,
  value: Buffer.from(value),
  headers: {},
  ...change,
});

/** The next `count` records, acknowledging every batch or none; rejects when they do not come in time. */
export async function take(
  broker: Broker,
  count: number,
  options: Omit<ReadOptions, 'signal'>,
  acknowledge = false,
): Promise<BrokerRecord[]> {
  const stop = AbortSignal.timeout(10_000);
  const found: BrokerRecord[] = [];
  if (count === 0) return found;
  for await (const batch of broker.read({ ...options, signal: stop })) {
    found.push(...batch.records);
    if (acknowledge) await batch.ack();
    if (found.length >= count) return found;
  }
  throw new Error(`${found.length} of ${count} records came: ${found.map(text).join(' ')}`);
}

let topicsMade = 0;

/** A topic that no other test uses. */
export const newTopic = (partitions = 3, compacted = false): Topic => ({
  name: `suite-${process.pid}-${topicsMade++}`,
  partitions,
  compacted,
});

export type Body = (broker: Broker, topic: Topic, open: OpenBroker) => Promise<void>;

/** `machines`: readers and writers may be on several, so that groups share and claims fence. */
export function brokerSuite(
  name: string,
  makeOpen: (cleanUp: (action: () => unknown) => void) => OpenBroker,
  { machines = false }: { readonly machines?: boolean } = {},
): void {
  const check = (what: string, body: Body, partitions = 3) =>
    test(`${name}: ${what}`, async (t) => {
      const brokers: Broker[] = [];
      const open = makeOpen((action) => t.after(action as () => void));
      const opened = async () => {
        const broker = await open();
        brokers.push(broker);
        return broker;
      };
      try {
        const broker = await opened();
        const topic = newTopic(partitions);
        await broker.createTopics([topic]);
        await body(broker, topic, opened);
      } finally {
        for (const broker of brokers) await broker.close();
      }
    });
  recordTests(check);
  groupTests(check);
  placeTests(check);
  limitTests(check);
  startTests(check);
  claimTests(check);
  if (machines) {
    fencingTests(check);
    sharingTests(check);
  }
}

export type Check = (what: string, body: Body, partitions?: number) => void;

function recordTests(check: Check): void {
  check('a record comes back as it went in', async (broker, topic) => {
    const value = Buffer.from([0, 1, 254, 255]);
    const headers = { position: '0000000000000001.00000000', 'with "quotes"': 'ñ\u0000🙂' };
    await broker.append([
      { topic: topic.name, partition: 1, key: 'ñandú', value, headers, timestamp: 1_795_517_580_123 },
      record(topic.name, '', { partition: 1 }),
    ]);
    const [first, second] = await take(broker, 2, { topics: [topic.name], group: 'g' });
    assert.deepEqual(
      { ...first, value: Buffer.from(first!.value) },
      {
        topic: topic.name,
        partition: 1,
        key: 'ñandú',
        value,
        headers,
        timestamp: 1_795_517_580_123,
        offset: 0,
      },
    );
    assert.equal(second!.key, null);
    assert.deepEqual(second!.headers, {});
    assert.equal(second!.value.length, 0);
  });

  check('keeps the order of a partition, also of calls made at once', async (broker, topic) => {
    const calls = Array.from({ length: 40 }, (_, call) =>
      broker.append(
        Array.from({ length: 25 }, (_, i) => record(topic.name, String(call * 25 + i), { partition: i % 3 })),
      ),
    );
    await Promise.all(calls);
    const records = await take(broker, 1_000, { topics: [topic.name], group: 'g', recordsMax: 70 });
    for (const partition of [0, 1, 2]) {
      const here = records.filter((found) => found.partition === partition);
      assert.deepEqual(
        here.map(text).map(Number),
        here
          .map(text)
          .map(Number)
          .toSorted((a, b) => a - b),
      );
      for (const [i, { offset }] of here.entries()) assert.ok(i === 0 || offset > here[i - 1]!.offset);
    }
    assert.equal(new Set(records.map(text)).size, 1_000);
  });

  check('creating a topic again leaves it alone', async (broker, topic) => {
    await broker.append([record(topic.name, 'kept')]);
    await broker.createTopics([{ ...topic, partitions: 9 }]);
    const states = await broker.partitions(topic.name);
    assert.equal(states.length, 3);
    assert.equal(text(states[0]!.tail!), 'kept');
    await assert.rejects(broker.append([record(`${topic.name}-missing`, 'x')]));
  });

  check('wakes a waiting reader', async (broker, topic) => {
    const waiting = take(broker, 1, { topics: [topic.name], group: 'g' });
    const other = take(broker, 1, { topics: [topic.name], group: 'h' });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await broker.append([record(topic.name, 'news')]);
    assert.deepEqual([...(await waiting), ...(await other)].map(text), ['news', 'news']);
  });

  check('a reader ends when its signal aborts', async (broker, topic) => {
    const stop = new AbortController();
    const ended = (async () => {
      for await (const _ of broker.read({ topics: [topic.name], group: 'g', signal: stop.signal }));
    })();
    setTimeout(() => stop.abort(), 30);
    await ended;
  });
}

function groupTests(check: Check): void {
  check(
    'records come again until they are acknowledged, and goes on after that',
    async (broker, topic, open) => {
      const options = { topics: [topic.name], group: topic.name };
      await broker.append(['1', '2', '3'].map((value) => record(topic.name, value)));
      assert.deepEqual((await take(broker, 3, options)).map(text), ['1', '2', '3']);
      assert.deepEqual((await take(broker, 2, { ...options, recordsMax: 2 }, true)).map(text), ['1', '2']);
      await broker.close();
      const again = await open();
      assert.deepEqual((await take(again, 1, options, true)).map(text), ['3']);
      assert.deepEqual(await again.committed(topic.name), new Map([[topicPartition(topic.name, 0), 3]]));
      await again.append([record(topic.name, '4')]);
      assert.deepEqual((await take(again, 1, options)).map(text), ['4']);
    },
  );

  check('a batch is acknowledged with those before it, not with those after', async (broker, topic) => {
    for (const partition of [0, 1, 2]) await broker.append([record(topic.name, 'x', { partition })]);
    const batches: ReadBatch[] = [];
    const options = {
      topics: [topic.name],
      group: topic.name,
      recordsMax: 1,
      signal: AbortSignal.timeout(10_000),
    };
    for await (const batch of broker.read(options)) {
      if (batches.push(batch) === 3) break;
    }
    await batches[1]!.ack();
    const first = batches.slice(0, 2).map(({ records }) => records[0]!.partition);
    assert.deepEqual(
      [...(await broker.committed(topic.name)).keys()].sort(),
      first.map((n) => `${topic.name}/${n}`).sort(),
    );
    await batches[2]!.ack();
    assert.equal((await broker.committed(topic.name)).size, 3);
  });

  check('groups are independent', async (broker, topic) => {
    await broker.append([record(topic.name, '1')]);
    await take(broker, 1, { topics: [topic.name], group: `${topic.name}-a` }, true);
    assert.equal((await broker.committed(`${topic.name}-b`)).size, 0);
    assert.deepEqual((await take(broker, 1, { topics: [topic.name], group: `${topic.name}-b` })).map(text), [
      '1',
    ]);
  });

  check('offsets can be committed without reading', async (broker, topic) => {
    await broker.append(['1', '2', '3'].map((value) => record(topic.name, value)));
    await broker.commit(topic.name, new Map([[topicPartition(topic.name, 0), 2]]));
    assert.deepEqual((await take(broker, 1, { topics: [topic.name], group: topic.name })).map(text), ['3']);
  });
}

function placeTests(check: Check): void {
  check('says where each partition starts and ends, and its newest record', async (broker, topic) => {
    await broker.append(['1', '2'].map((value) => record(topic.name, value, { partition: 2, key: 'k' })));
    const states = await broker.partitions(topic.name);
    assert.deepEqual(
      states.map(({ partition, start, end, tail }) => [partition, start, end, tail && text(tail)]),
      [
        [0, 0, 0, null],
        [1, 0, 0, null],
        [2, 0, 2, '2'],
      ],
    );
    assert.equal(new Set(states.map(({ topicId }) => topicId)).size, 1);
    const other = newTopic(1);
    await broker.createTopics([other]);
    assert.notEqual((await broker.partitions(other.name))[0]!.topicId, states[0]!.topicId);
  });

  check('reads from a given place', async (broker, topic) => {
    await broker.append(['1', '2', '3'].map((value) => record(topic.name, value)));
    await broker.append([record(topic.name, 'other', { partition: 1 })]);
    const from = new Map([[topicPartition(topic.name, 0), 2]]);
    const records = await take(broker, 2, { topics: [topic.name], group: 'g', from });
    assert.deepEqual(records.map(text).toSorted(), ['3', 'other']);
  });

  check('a place that is not in the log is refused', async (broker, topic) => {
    await broker.append([record(topic.name, '1')]);
    for (const offset of [2, -1]) {
      const from = new Map([[topicPartition(topic.name, 0), offset]]);
      await assert.rejects(
        take(broker, 1, { topics: [topic.name], group: 'g', from }),
        OffsetOutOfRangeError,
      );
    }
  });

  check('finds the first offset at or after a time', async (broker, topic) => {
    const times = [1_000, 3_000, 2_000, 5_000];
    await broker.append(times.map((timestamp) => record(topic.name, 'x', { timestamp })));
    const offsets = await Promise.all(
      [0, 1_000, 1_001, 3_001, 5_001].map((time) => broker.offsetAt(topic.name, 0, time)),
    );
    assert.deepEqual(offsets, [0, 0, 1, 3, 4]);
    assert.equal(await broker.offsetAt(topic.name, 1, 0), 0);
  });
}

function startTests(check: Check): void {
  check('asks where to begin, once the partitions are known', async (broker, topic) => {
    await broker.append(['1', '2', '3'].map((value) => record(topic.name, value)));
    await broker.append([record(topic.name, 'other', { partition: 1 })]);
    const asked: (readonly TopicPartition[])[] = [];
    const from = async (assigned: readonly TopicPartition[]) => {
      asked.push(assigned);
      return new Map([[topicPartition(topic.name, 0), 2]]);
    };
    const records = await take(broker, 2, { topics: [topic.name], group: 'g', from });
    assert.deepEqual(records.map(text).toSorted(), ['3', 'other']);
    assert.deepEqual(
      asked.map((names) => names.toSorted()),
      [[0, 1, 2].map((partition) => topicPartition(topic.name, partition))],
    );
  });

  check('a reader ends with the fault of whoever says where to begin', async (broker, topic) => {
    const from = () => Promise.reject(new Error('no idea'));
    await assert.rejects(take(broker, 1, { topics: [topic.name], group: 'g', from }), /no idea/);
  });

  check('a reader that shares with nobody gets all', async (broker, topic) => {
    for (const partition of [0, 1, 2]) await broker.append([record(topic.name, 'x', { partition })]);
    const options = { topics: [topic.name], group: topic.name, shared: true };
    const records = await take(broker, 3, options, true);
    assert.deepEqual(records.map(({ partition }) => partition).toSorted(), [0, 1, 2]);
    await broker.append([record(topic.name, 'y')]);
    assert.deepEqual((await take(broker, 1, options)).map(text), ['y']);
  });
}

function limitTests(check: Check): void {
  check('a batch is bounded, and no partition waits for another', async (broker, topic) => {
    const many = Array.from({ length: 600 }, (_, i) =>
      record(topic.name, 'x'.repeat(1_000), { partition: i % 2 }),
    );
    await broker.append([...many, record(topic.name, 'few', { partition: 2 })]);
    const sizes: number[] = [];
    let sawFewIn = -1;
    for await (const batch of broker.read({
      topics: [topic.name],
      group: 'g',
      recordsMax: 100,
      bytesMax: 50_000,
      signal: AbortSignal.timeout(10_000),
    })) {
      sizes.push(batch.records.length);
      if (batch.records.some((found) => text(found) === 'few')) sawFewIn = sizes.length;
      assert.ok(batch.records.length > 0 && batch.records.length <= 100);
      assert.ok(batch.records.reduce((sum, { value }) => sum + value.length, 0) <= 50_000);
      const seen = sizes.reduce((sum, size) => sum + size, 0);
      const lag = [...batch.lag.values()].reduce((sum, left) => sum + left, 0);
      assert.equal(lag, 601 - seen);
      if (lag === 0) break;
    }
    assert.ok(sawFewIn >= 1 && sawFewIn <= 3, `partition 2 came in batch ${sawFewIn}`);
  });

  check('a record larger than a batch still comes', async (broker, topic) => {
    await broker.append([
      record(topic.name, '1'),
      record(topic.name, 'x'.repeat(9_000)),
      record(topic.name, '3'),
    ]);
    const records = await take(broker, 3, { topics: [topic.name], group: 'g', bytesMax: 1_000 });
    assert.deepEqual(
      records.map(({ value }) => value.length),
      [1, 9_000, 1],
    );
  });

  check('a record that is too large appends nothing of its call', async (broker, topic) => {
    const large = { value: Buffer.alloc(broker.recordBytesMax + 1) };
    const call = broker.append([record(topic.name, 'with it'), record(topic.name, '', large)]);
    await assert.rejects(call, RecordTooLargeError);
    await broker.append([record(topic.name, 'alone')]);
    const records = await take(broker, 1, { topics: [topic.name], group: 'g' });
    assert.deepEqual(records.map(text), ['alone']);
  });
}
