import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { type TestSpark, testSpark } from '../../../test/support/spark.ts';
import { systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { readStream, SparkSession, sql } from '../../stages/metrics/spark/connect/connect.ts';
import { processesOf } from '../processes.ts';
import { processLayout, sparkMark } from './layout.ts';
import { connectState } from './probe.ts';
import { startSpark, stopSpark } from './spark.ts';

const KAFKA = { username: 'instashop-spark', password: 'secret-of-kafka' };
const UNTIL_MS_MAX = 90_000;

async function until(what: string, holds: () => Promise<boolean> | boolean): Promise<void> {
  const limit = systemClock.now() + UNTIL_MS_MAX;
  while (!(await holds())) {
    assert.ok(systemClock.now() < limit, `not so in time: ${what}`);
    await systemClock.sleep(100);
  }
}

const filesIn = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

describe('a Spark cluster', () => {
  let spark: TestSpark;
  const processNamed = (name: string) => spark.cluster.processes.find((one) => one.name === name)!;
  const session = () =>
    SparkSession.connect({
      url: spark.url,
      token: spark.token,
      userId: 'test',
      sessionId: crypto.randomUUID(),
      clock: systemClock,
    });
  /** Runs a query with state to its first batches, ends it and its session. */
  const count = async (checkpoint: string): Promise<number> => {
    const client = await session();
    const rows = readStream({ format: 'rate', options: { rowsPerSecond: '50', numPartitions: '1' } });
    const query = await client.start(
      sql('SELECT value % 3 AS k, count(*) AS n FROM r GROUP BY 1', { r: rows }),
      {
        name: 'counting',
        format: 'noop',
        outputMode: 'update',
        trigger: { everyMs: 0 },
        checkpoint,
      },
    );
    let batchId = 0;
    await until('rows are counted', async () => {
      const progress = await query.lastProgress();
      batchId = progress?.batchId ?? 0;
      return batchId > 1;
    });
    await query.stop();
    await client.release();
    await client.close();
    return batchId;
  };

  before(async () => {
    spark = await testSpark({ kafka: KAFKA });
  });
  after(() => spark.stop());

  test('runs a query, and lets its session go', async () => {
    await count(join(spark.checkpointDir, 'counted'));
    assert.deepEqual(
      spark.cluster.processes.map(({ name, pid }) => [name, pid() !== null]),
      [
        ['master', true],
        ['worker-1', true],
        ['connect', true],
      ],
    );
    assert.equal(spark.cluster.executorPids().length, 1);
    const state = await spark.cluster.state();
    assert.deepEqual(state, {
      isAlive: true,
      workerPorts: [spark.ports.workers[0]!.port],
      cores: 4,
      coresUsed: 4,
    });
  });

  test('a wrong token is refused', async () => {
    assert.equal(await connectState(spark.ports.connect, spark.token), 'ready');
    assert.equal(await connectState(spark.ports.connect, 'a wrong one'), 'refused');
    await assert.rejects(
      startSpark({ ...spark.options, tied: false, token: 'another-token' }),
      /with other settings/,
    );
  });

  test('no secret stands in a command line or a log, and files that hold one are private', () => {
    const secrets = [spark.token, KAFKA.password];
    const pids = processesOf(sparkMark(spark.options.dataDir));
    assert.equal(pids.length, 4);
    for (const pid of pids) {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      for (const secret of secrets) assert.ok(!line.includes(secret));
    }
    const settings = processLayout(spark.options.dataDir, 'connect').settings;
    const derived = /^spark\.authenticate\.secret=(.+)$/m.exec(readFileSync(settings, 'utf8'))![1]!;
    const holders = filesIn(spark.options.dataDir).filter((file) => {
      const text = readFileSync(file, 'utf8');
      return [...secrets, derived].some((secret) => text.includes(secret));
    });
    assert.deepEqual(holders.map((file) => file.slice(spark.options.dataDir.length + 1)).sort(), [
      'connect.properties',
      'jaas.conf',
      'master.properties',
      'worker-1.properties',
    ]);
    for (const file of holders) assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('what is killed comes back by itself, and queries go on from their checkpoint', async () => {
    const watching = new AbortController();
    const watched = spark.cluster.watch(watching.signal);
    try {
      for (const name of ['worker-1', 'master', 'connect']) {
        const process = processNamed(name);
        const killed = process.pid()!;
        process.kill('SIGKILL');
        await until(`${name} is gone`, () => process.pid() !== killed);
        await until(`${name} runs again`, () => process.pid() !== null);
        await until(`the driver has cores after the end of ${name}`, async () => {
          const answers = (await connectState(spark.ports.connect, spark.token)) === 'ready';
          const state = await spark.cluster.state();
          return answers && state?.isAlive === true && state.coresUsed === 4;
        });
      }
      assert.ok((await count(join(spark.checkpointDir, 'counted'))) > 1);
      const [executor] = spark.cluster.executorPids();
      process.kill(executor!, 'SIGKILL');
      await until('another executor', () => {
        const [now] = spark.cluster.executorPids();
        return now !== undefined && now !== executor;
      });
    } finally {
      watching.abort();
      await watched;
    }
  });

  test('a second start keeps what runs and starts what is missing', async () => {
    const kept = processNamed('connect').pid();
    await processNamed('worker-1').stop();
    const again = await startSpark({ ...spark.options, tied: false });
    assert.deepEqual(
      again.processes.map(({ pid }) => pid() !== null),
      [true, true, true],
    );
    assert.equal(processNamed('connect').pid(), kept);
  });

  test('a stop leaves no process, and a start goes on from the checkpoints', async () => {
    const kept = join(spark.checkpointDir, 'counted');
    const before = readdirSync(join(kept, 'commits')).length;
    const watching = new AbortController();
    const watched = spark.cluster.watch(watching.signal);
    assert.ok((await stopSpark(spark.options.dataDir, systemClock)) >= 3);
    // What somebody stops is not what has died.
    await systemClock.sleep(2_000);
    watching.abort();
    await watched;
    assert.deepEqual(processesOf(sparkMark(spark.options.dataDir)), []);
    const taken = createServer().listen(spark.ports.driverUi, '127.0.0.1');
    await once(taken, 'listening');
    await assert.rejects(
      startSpark(spark.options),
      (error) =>
        error instanceof UserError && error.message.includes(`:${spark.ports.driverUi}: another program`),
    );
    assert.deepEqual(processesOf(sparkMark(spark.options.dataDir)), [], 'nothing was started');
    taken.close();
    await startSpark(spark.options);
    await count(kept);
    assert.ok(readdirSync(join(kept, 'commits')).length > before);
  });
});

test('the processes of a program end with it, kill -9 included', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-spark-tied-'));
  const program = join(import.meta.dirname, 'testing', 'tied-spark.ts');
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(createInterface(child.stdout), 'line');
    const mark = sparkMark(folder);
    // Two workers, each with an executor.
    await until('all run', () => processesOf(mark).length === 6);
    child.kill('SIGKILL');
    await until('none is left', () => processesOf(mark).length === 0);
  } finally {
    child.kill('SIGKILL');
    await stopSpark(folder, systemClock);
    rmSync(folder, { recursive: true, force: true });
  }
});
