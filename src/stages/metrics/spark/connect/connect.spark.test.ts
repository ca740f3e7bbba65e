// The client at a real server: streaming queries of the `rate` source (so many rows a second) to nowhere.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { type TestSpark, testSpark } from '../../../../../test/support/spark.ts';
import { systemClock } from '../../../../lib/clock.ts';
import { UserError } from '../../../../lib/errors.ts';
import { retry } from '../../../../lib/retry.ts';
import {
  alias,
  coalesce,
  column,
  expression,
  project,
  type QueryEvent,
  type Relation,
  readStream,
  SparkSession,
  type StartOptions,
  sql,
  withWatermark,
} from './connect.ts';
import { faultOf } from './testing/fault-of.ts';

const WAIT_MS_MAX = 60_000;
const LOOK_MS = 200;

describe('the Spark Connect client', () => {
  let spark: TestSpark;
  const open: SparkSession[] = [];

  before(async () => {
    spark = await testSpark();
  });

  afterEach(async () => {
    for (const session of open.splice(0)) await session.close();
  });

  after(() => spark?.stop());

  async function connect(sessionId: string = randomUUID(), token = spark.token): Promise<SparkSession> {
    const options = { url: spark.url, token, sessionId, userId: 'metrics', clock: systemClock };
    const session = await SparkSession.connect(options);
    open.push(session);
    return session;
  }

  const rate = readStream({ format: 'rate', options: { rowsPerSecond: '10' } });
  const nowhere = (name: string): StartOptions => ({
    name,
    format: 'noop',
    outputMode: 'append',
    trigger: { everyMs: 200 },
  });

  async function eventually<T>(look: () => Promise<T | null>, what: string): Promise<T> {
    const until = systemClock.now() + WAIT_MS_MAX;
    for (;;) {
      const found = await look();
      if (found !== null) return found;
      assert.ok(systemClock.now() < until, `${what} did not come`);
      await systemClock.sleep(LOOK_MS);
    }
  }

  /** Rows a window of one second: every kind of relation there is. */
  function windows(): Relation {
    const timed = withWatermark(
      sql('SELECT timestamp, value FROM raw', { raw: coalesce(rate, 1) }),
      'timestamp',
      0,
    );
    const end = expression("window(timestamp, '1 second').end");
    const rows = project(timed, [alias(end, 'w', { 'spark.watermarkDelayMs': 1 }), column('value')]);
    return sql('SELECT w, count(*) AS n FROM rows GROUP BY w', { rows });
  }

  test('a wrong token is a fault of the user', async () => {
    await assert.rejects(connect(randomUUID(), 'no-secret'), UserError);
  });

  test('a query starts, tells its progress and ends when it is stopped', async () => {
    const session = await connect();
    assert.match(session.sparkVersion, /^4\.\d+\.\d+/);
    await session.setConfig({ 'spark.sql.shuffle.partitions': '1' });
    assert.deepEqual(
      [...(await session.getConfig(['spark.sql.shuffle.partitions', 'no.such']))],
      [
        ['spark.sql.shuffle.partitions', '1'],
        ['no.such', null],
      ],
    );
    const checkpoint = join(spark.checkpointDir, 'windows');
    const query = await session.start(windows(), {
      ...nowhere('windows'),
      outputMode: 'update',
      checkpoint,
    });
    const progress = await eventually(async () => {
      const last = await query.lastProgress();
      return last !== null && last.numInputRows > 0 && last.eventTime['watermark'] !== undefined
        ? last
        : null;
    }, 'progress with rows');
    assert.deepEqual([progress.id, progress.runId, progress.name], [query.id, query.runId, 'windows']);
    assert.equal(progress.state[0]?.operatorName, 'stateStoreSave');
    assert.equal(typeof progress.sources[0]?.endOffset, 'number');
    assert.ok(progress.durationMs['triggerExecution']! > 0);
    assert.ok((await query.recentProgress()).length > 0);
    assert.ok((await query.status()).isActive);
    assert.equal(await query.exception(), null);
    assert.equal(await query.awaitTermination(1), false);
    await query.stop();
    await query.stop();
    assert.equal((await query.status()).isActive, false);
    assert.equal(await query.awaitTermination(1), true);
    assert.equal(await query.exception(), null);
    // The same checkpoint: the same query in another run.
    const again = await session.start(windows(), { ...nowhere('windows'), outputMode: 'update', checkpoint });
    assert.deepEqual([again.id === query.id, again.runId === query.runId], [true, false]);
    await again.stop();
  });

  test('a query that fails says why, and listeners hear of it', async () => {
    const session = await connect();
    const events = await session.listen();
    const failing = sql("SELECT assert_true(value < 3, 'enough') FROM raw", { raw: rate });
    const query = await session.start(failing, nowhere('failing'));
    const heard: QueryEvent['type'][] = [];
    let ended: QueryEvent | undefined;
    for await (const event of events) {
      heard.push(event.type);
      ended = event;
      if (event.type === 'terminated') break;
    }
    assert.ok(heard.includes('progress'));
    assert.ok(ended?.type === 'terminated' && ended.id === query.id);
    assert.match(ended.exception ?? '', /enough/);
    assert.equal((await query.status()).isActive, false);
    const failure = await query.exception();
    assert.match(failure?.message ?? '', /enough/);
    assert.equal((await faultOf(query.awaitTermination(1_000))).errorClass, 'STREAM_FAILED');
    assert.deepEqual(await session.active(), []);
  });

  test('a plan that Spark refuses is refused at the start', async () => {
    const session = await connect();
    const refused = sql('SELECT no_such_column FROM raw', { raw: rate });
    const error = await faultOf(session.start(refused, nowhere('refused')));
    assert.match(error.errorClass ?? '', /^UNRESOLVED_COLUMN/);
    assert.deepEqual([error.sqlState, error.retryable], ['42703', false]);
  });

  test('a query is found again by its name, with the same ids only, also when its client is gone', async () => {
    const sessionId = randomUUID();
    const first = await connect(sessionId);
    const query = await first.start(rate, nowhere('found'));
    const events = await first.listen();
    await first.close();
    const second = await connect(sessionId);
    const found = await second.queryByName('found');
    assert.deepEqual([found?.id, found?.runId], [query.id, query.runId]);
    assert.ok((await found!.status()).isActive);
    // The listener of the client that is gone hinders nobody.
    for await (const event of await second.listen()) if (event.type === 'progress') break;
    await assert.rejects(async () => {
      for await (const _ of events);
    }, /was closed/);
    const stranger = await connect();
    assert.equal(await stranger.queryByName('found'), null);
    await assert.rejects(second.start(rate, nowhere('found')), /already active/);
    await second.release();
    const third = await connect(sessionId);
    assert.deepEqual(await third.active(), [], 'a release stops the queries');
  });

  test('a server that was killed is retryable, and after its restart the session is lost', async () => {
    const sessionId = randomUUID();
    const session = await connect(sessionId);
    const query = await session.start(rate, nowhere('killed'));
    const waiting = faultOf(query.awaitTermination(WAIT_MS_MAX));
    const server = spark.cluster.processes.at(-1)!;
    server.kill('SIGKILL');
    const broken = await waiting;
    assert.deepEqual([broken.retryable, broken.sessionLost], [true, false], broken.message);
    await server.start();
    const lost = await faultOf(session.active());
    assert.deepEqual([lost.retryable, lost.sessionLost], [true, true], lost.message);
    const { signal } = new AbortController();
    const again = await retry(() => connect(sessionId), { clock: systemClock, signal });
    assert.deepEqual(await again.active(), []);
  });
});
