// The log among several processes, some of which die, and on a disk that is full.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import test, { type TestContext } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { type Clock, systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { isRetryable } from '../../lib/retry.ts';
import { newTopic, record, take, text } from './broker.suite.ts';
import type { Broker } from './broker.ts';
import { sqliteBroker } from './sqlite-broker.ts';

const TOPIC = newTopic(3);

/** A folder for a test, and a stack of what is to be closed after it. */
function place(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-log-'));
  const stack = new AsyncDisposableStack();
  t.after(() => stack.disposeAsync());
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const open = async (clock: Clock = systemClock, logDir = dir): Promise<Broker> => {
    const broker = sqliteBroker({ dir: logDir, clock, log: silentLog });
    stack.defer(() => broker.close());
    await broker.createTopics([TOPIC]);
    return broker;
  };
  return { dir, open, defer: (action: () => void) => stack.defer(action) };
}

const child = (script: string, ...args: (string | number)[]): ChildProcess =>
  spawn(process.execPath, [join(import.meta.dirname, 'testing', script), ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });

const writer = (dir: string, name: string, calls: number, size: number): ChildProcess =>
  child('writer.ts', dir, TOPIC.name, name, calls, size);

/** Everything in the log, each partition's offsets checked for holes. */
async function readAll(broker: Broker): Promise<string[]> {
  const states = await broker.partitions(TOPIC.name);
  const count = states.reduce((sum, { end }) => sum + end, 0);
  const records = await take(broker, count, { topics: [TOPIC.name], group: 'all' });
  for (const { partition, end } of states) {
    const offsets = records.filter((found) => found.partition === partition).map(({ offset }) => offset);
    assert.deepEqual(
      offsets,
      Array.from({ length: end }, (_, i) => i),
    );
  }
  return records.map(text);
}

/** A writer's numbers in the log, in the order of their partitions: each partition's must rise. */
function numbersOf(name: string, found: readonly string[]): Set<number> {
  const numbers = found
    .filter((value) => value.startsWith(`${name} `))
    .map((value) => Number(value.split(' ')[1]));
  for (const partition of [0, 1, 2]) {
    const here = numbers.filter((number) => number % 3 === partition);
    assert.deepEqual(
      here,
      here.toSorted((a, b) => a - b),
    );
  }
  assert.equal(new Set(numbers).size, numbers.length);
  return new Set(numbers);
}

test('kill -9 loses nothing acknowledged and leaves no half call', async (t) => {
  const { dir, open } = place(t);
  await (await open()).close();
  const acknowledged = new Map<string, number>();
  for (const [name, killAfter] of [
    ['first', 1],
    ['second', 40],
    ['third', 150],
  ] as const) {
    const process = writer(dir, name, 100_000, 7);
    let lines = 0;
    for await (const line of createInterface(process.stdout!)) {
      acknowledged.set(name, Number(line));
      if (++lines === killAfter) process.kill('SIGKILL');
    }
  }
  const found = await readAll(await open());
  for (const [name, count] of acknowledged) {
    const numbers = numbersOf(name, found);
    assert.ok(numbers.size >= count, `${name}: ${count} acknowledged, ${numbers.size} in the log`);
    assert.equal(numbers.size % 7, 0);
    for (let number = 0; number < numbers.size; number++) assert.ok(numbers.has(number));
  }
});

test('processes append to one log at once', async (t) => {
  const { dir, open } = place(t);
  const instance = await open();
  const writers = ['left', 'right'].map((name) => {
    const process = writer(dir, name, 300, 5);
    process.stdout!.resume();
    return once(process, 'exit');
  });
  for (let i = 0; i < 300; i++) {
    await instance.append(
      [0, 1, 2].map((partition) => record(TOPIC.name, `here ${i * 3 + partition}`, { partition })),
    );
  }
  assert.deepEqual(await Promise.all(writers), [
    [0, null],
    [0, null],
  ]);
  const found = await readAll(instance);
  assert.equal(found.length, 900 + 3_000);
  for (const [name, count] of [
    ['here', 900],
    ['left', 1_500],
    ['right', 1_500],
  ] as const) {
    assert.equal(numbersOf(name, found).size, count);
  }
});

test('a reader is woken by another process without looking for itself', async (t) => {
  const { dir, open } = place(t);
  // This clock stands still: nothing that waits for time happens.
  const broker = await open(new ManualClock());
  const options = { topics: [TOPIC.name], group: 'g' };
  assert.equal(
    (await Promise.all([take(broker, 1, options), once(writer(dir, 'w', 1, 1), 'exit')]))[0].length,
    1,
  );
});

test('a lock that another process holds for a while only delays an append', async (t) => {
  const { dir, open } = place(t);
  const broker = await open();
  const holder = child('lock-holder.ts', join(dir, 'log.db'), 1_500);
  await once(holder.stdout!, 'data');
  await broker.append([record(TOPIC.name, 'after')]);
  assert.deepEqual(await readAll(broker), ['after']);
});

test('a full disk rejects appends as retryable, and room is all that is needed', async (t) => {
  const { dir, open, defer } = place(t);
  const disk = join(dir, 'disk');
  mkdirSync(disk);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'instashop-test', disk]);
  if (mounted.status !== 0) return t.skip('a small tmpfs cannot be mounted here (needs root)');
  defer(() => spawnSync('umount', [disk]));
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(2_000_000));
  const broker = await open(systemClock, disk);
  const [acknowledged, fault] = await appendUntilFault(broker);
  assert.ok(isRetryable(fault), String(fault));
  assert.ok(acknowledged > 0);
  await assert.rejects(broker.append([record(TOPIC.name, 'x'.repeat(200_000))]), isRetryable);
  assert.equal((await readAll(broker)).length, acknowledged * 3);

  rmSync(ballast);
  await broker.append([record(TOPIC.name, 'room')]);
  const found = await readAll(broker);
  assert.equal(found.length, acknowledged * 3 + 1);
  await broker.close();
  assert.deepEqual(await readAll(await open(systemClock, disk)), found);
});

async function appendUntilFault(broker: Broker): Promise<[number, unknown]> {
  for (let calls = 0; ; calls++) {
    try {
      const value = 'x'.repeat(10_000);
      await broker.append([0, 1, 2].map((partition) => record(TOPIC.name, value, { partition })));
    } catch (error) {
      return [calls, error];
    }
  }
}
