import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import test, { type TestContext } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { brokerSuite, newTopic, record, take, text } from './broker.suite.ts';
import { type Broker, OffsetOutOfRangeError, topicPartition } from './broker.ts';
import { type SqliteBrokerOptions, sqliteBroker } from './sqlite-broker.ts';

const tempDir = (cleanUp: (action: () => void) => void): string => {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-log-'));
  cleanUp(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
};

brokerSuite('sqlite', (cleanUp) => {
  const dir = tempDir(cleanUp);
  return async () => sqliteBroker({ dir, clock: systemClock, log: silentLog });
});

/** A log in a folder of its own, closed and removed after the test. */
function openLog(t: TestContext, clock: Clock, options: Partial<SqliteBrokerOptions> = {}) {
  const dir = tempDir((action) => t.after(action));
  const open = (): Broker => {
    const broker = sqliteBroker({ dir, clock, log: silentLog, ...options });
    t.after(() => broker.close());
    return broker;
  };
  return { dir, open };
}

/** Lets one round of cleaning run to its end. */
async function clean(clock: ManualClock, ms = 10_000): Promise<void> {
  await clock.advance(ms);
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const values = async (broker: Broker, topic: string, count: number): Promise<string[]> =>
  (await take(broker, count, { topics: [topic], group: `g${count}` })).map(text);

test('what is older than the retention goes, but never the newest record; offsets are not used again', async (t) => {
  const clock = new ManualClock();
  const { open } = openLog(t, clock, { retentionMs: 60_000 });
  const broker = open();
  const topic = newTopic(1);
  await broker.createTopics([topic]);
  await broker.append(Array.from({ length: 1_200 }, (_, i) => record(topic.name, `old ${i}`)));
  await clock.advance(50_000);
  await broker.append([record(topic.name, 'young'), record(topic.name, 'youngest')]);
  await broker.commit('late', new Map([[topicPartition(topic.name, 0), 7]]));
  await clean(clock, 15_000);
  assert.deepEqual(await values(broker, topic.name, 2), ['young', 'youngest']);
  const late = { topics: [topic.name], group: 'late' };
  await assert.rejects(take(broker, 1, late), OffsetOutOfRangeError);

  await clean(clock, 100_000);
  await broker.close();
  const again = open();
  const [state] = await again.partitions(topic.name);
  assert.deepEqual([state!.start, state!.end, text(state!.tail!)], [1_201, 1_202, 'youngest']);
  await again.append([record(topic.name, 'next')]);
  assert.equal((await again.partitions(topic.name))[0]!.tail!.offset, 1_202);
});

test('a reader that retention overtakes is told, not moved on', async (t) => {
  const clock = new ManualClock();
  const { open } = openLog(t, clock, { retentionMs: 60_000 });
  const broker = open();
  const topic = newTopic(1);
  await broker.createTopics([topic]);
  await broker.append(Array.from({ length: 10 }, (_, i) => record(topic.name, String(i))));
  const reading = async () => {
    const options = { topics: [topic.name], group: 'g', recordsMax: 2, signal: AbortSignal.timeout(10_000) };
    for await (const _ of broker.read(options)) await clean(clock, 100_000);
  };
  await assert.rejects(reading(), OffsetOutOfRangeError);
});

test('a topic keeps about as many bytes as it may', async (t) => {
  const clock = new ManualClock();
  const { open } = openLog(t, clock, { retentionBytes: 200_000 });
  const broker = open();
  const [topic, compacted] = [newTopic(2), newTopic(1, true)];
  await broker.createTopics([topic, compacted]);
  const kilobyte = 'x'.repeat(1_000);
  await broker.append(
    Array.from({ length: 600 }, (_, i) => record(topic.name, kilobyte, { partition: i % 2 })),
  );
  const keyed = Array.from({ length: 600 }, (_, i) => record(compacted.name, kilobyte, { key: String(i) }));
  await broker.append(keyed);
  await clean(clock);
  const states = await broker.partitions(topic.name);
  assert.deepEqual(
    states.map(({ start, end }) => [start, end]),
    [
      [200, 300],
      [200, 300],
    ],
  );
  assert.equal((await values(broker, compacted.name, 600)).length, 600);
});

test('of a compacted topic only the newest record of a key stays', async (t) => {
  const clock = new ManualClock();
  const { open } = openLog(t, clock);
  const broker = open();
  const topic = newTopic(1, true);
  await broker.createTopics([topic]);
  const write = (round: number) =>
    broker.append(
      Array.from({ length: 700 }, (_, i) =>
        record(topic.name, `${round}/${i % 350}`, { key: `k${i % 350}` }),
      ),
    );
  await broker.append([record(topic.name, 'without key')]);
  await write(1);
  await write(2);
  await clean(clock);
  await write(3);
  await broker.append([record(topic.name, 'once', { key: 'once' })]);
  await clean(clock);
  const kept = ['without key', ...Array.from({ length: 350 }, (_, i) => `3/${i}`), 'once'];
  assert.deepEqual(await values(broker, topic.name, 352), kept);
  const [state] = await broker.partitions(topic.name);
  assert.deepEqual([state!.start, state!.end], [0, 2_102]);
});

test('a topic may have an age of its own', async (t) => {
  const clock = new ManualClock();
  const [usual, short] = [newTopic(1), newTopic(1, true)];
  const { open } = openLog(t, clock, { retentionMsByTopic: { [short.name]: 5_000 } });
  const broker = open();
  await broker.createTopics([usual, short]);
  for (const { name } of [usual, short])
    await broker.append(['a', 'b'].map((key) => record(name, key, { key })));
  await clean(clock);
  assert.deepEqual(await values(broker, short.name, 1), ['b']);
  assert.deepEqual(await values(broker, usual.name, 2), ['a', 'b']);
});

test('every partition has its share of a batch, the others what it leaves', async (t) => {
  const { open } = openLog(t, systemClock);
  const broker = open();
  const topic = newTopic(3);
  await broker.createTopics([topic]);
  const partitions = [...Array(100).fill(0), ...Array(100).fill(1), 2, 2];
  await broker.append(partitions.map((partition) => record(topic.name, 'x', { partition })));
  const counts: number[][] = [];
  const options = { topics: [topic.name], group: 'g', recordsMax: 30, signal: AbortSignal.timeout(10_000) };
  for await (const { records } of broker.read(options)) {
    counts.push(
      [0, 1, 2].map((partition) => records.filter((found) => found.partition === partition).length),
    );
    if (counts.length === 3) break;
  }
  assert.deepEqual(counts, [
    [10, 10, 2],
    [15, 15, 0],
    [15, 15, 0],
  ]);
});

test('other instances see appends, topics and committed offsets', async (t) => {
  const { open } = openLog(t, systemClock);
  const [one, two] = [open(), open()];
  const topic = newTopic(1);
  await one.createTopics([topic]);
  await two.append([record(topic.name, 'two')]);
  await one.append([record(topic.name, 'one')]);
  assert.deepEqual((await take(two, 2, { topics: [topic.name], group: 'g' }, true)).map(text), [
    'two',
    'one',
  ]);
  assert.deepEqual(await one.committed('g'), new Map([[topicPartition(topic.name, 0), 2]]));
});

test('a damaged file and one that is not ours are told with a remedy', (t) => {
  const { dir, open } = openLog(t, systemClock);
  const path = join(dir, 'log.db');
  writeFileSync(path, 'this is no database, and long enough to be looked at '.repeat(100));
  assert.throws(open, UserError);
  rmSync(path);
  const other = new DatabaseSync(path);
  other.exec('CREATE TABLE someone_elses (x)');
  other.close();
  assert.throws(open, UserError);
  rmSync(path);
  open().close();
  const newer = new DatabaseSync(path);
  newer.exec('PRAGMA user_version = 99');
  newer.close();
  assert.throws(open, /has format 99/);
});
