// Ten minutes of a shop, out of order, some of it half an hour late, sales that change and go: Spark is killed again
// and again while it counts them, and in the end every window has the values that the embedded engine gives it.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type MetricValue, metricKey, metricVersion } from '../../src/contracts/metric-value.ts';
import { METRICS } from '../../src/contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC, TOPICS } from '../../src/contracts/topics.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { seededRandom } from '../../src/lib/random.ts';
import { sparkQuery } from '../../src/stages/metrics/spark/spark-query.ts';
import { sparkMetricsStage } from '../../src/stages/metrics/spark/stage.ts';
import type { Broker, BrokerRecord } from '../../src/stores/broker/broker.ts';
import { readTopic } from '../../src/stores/broker/read-topic.ts';
import { drive, recordsOf } from '../support/golden/drive.ts';
import { shownOf } from '../support/golden/files.ts';
import type { Line } from '../support/golden/naive.ts';
import { older, shuffled, traffic } from '../support/golden/sets.ts';
import { openKafka, type TestKafka, testKafka } from '../support/kafka.ts';
import { type TestSpark, testSpark } from '../support/spark.ts';
import { killAll } from '../support/system.ts';

const ACTIVITIES = 6_000;
const STEP_MS = 100;
const HALF_AN_HOUR_MS = 1_800_000;
/** Every how many events one is half an hour late: too late for its window's close, not for its repair. */
const LATE_EVERY = 40;
/** The log grows in so many pieces, a second from one to the next. */
const PIECES = 60;
const PIECE_MS = 1_000;
/** For Spark to come back from its last death, and count what is left. */
const DONE_MS_MAX = 300_000;
const LOOK_MS = 1_000;

let kafka: TestKafka;
let spark: TestSpark;
let broker: Broker;
const dir = mkdtempSync(join(tmpdir(), 'instashop-generated-'));
const watching = new AbortController();

before(async () => {
  kafka = await testKafka();
  const { user: username, password } = kafka.admin;
  spark = await testSpark({ kafka: { username, password } });
  void spark.cluster.watch(watching.signal);
  broker = openKafka(kafka);
  await broker.createTopics([...Object.values(TOPICS), SPARK_WINDOWS_TOPIC]);
});
after(async () => {
  watching.abort();
  await broker?.close();
  await spark?.stop();
  await kafka?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const stage = () =>
  sparkMetricsStage({
    broker,
    clock: systemClock,
    log: silentLog,
    dir,
    query: sparkQuery({
      url: spark.url,
      token: spark.token,
      definitions: METRICS,
      kafka: {
        'kafka.bootstrap.servers': kafka.brokers.join(','),
        'kafka.security.protocol': 'SASL_PLAINTEXT',
        'kafka.sasl.mechanism': 'SCRAM-SHA-256',
      },
      target: SPARK_WINDOWS_TOPIC.name,
      checkpointRoot: spark.checkpointDir,
      shufflePartitions: 3,
      clock: systemClock,
      log: silentLog,
    }),
  });

/** A metrics stage that runs until it is stopped. */
function running() {
  const stop = new AbortController();
  const one = stage();
  const run = one.run(stop.signal);
  run.catch(() => {});
  return {
    health: () => one.health(),
    async stop() {
      stop.abort();
      await run;
    },
    /** Rejects when the stage ends by itself. */
    run,
  };
}

function generated(): readonly Line[] {
  const lines = shuffled(traffic('generated', ACTIVITIES, STEP_MS), 'generated/order', 60_000);
  return lines.map((line, i) => (i % LATE_EVERY === LATE_EVERY - 1 ? older(line, HALF_AN_HOUR_MS) : line));
}

/** Newest version per key, as a reader of topic `metrics` has it. */
async function written(): Promise<ReadonlyMap<string, MetricValue>> {
  const values = new Map<string, MetricValue>();
  await readTopic(broker, TOPICS.metrics.name, async ({ value }) => {
    const read = JSON.parse(Buffer.from(value).toString()) as MetricValue;
    const before = values.get(metricKey(read));
    if (before === undefined || metricVersion(read) > metricVersion(before))
      values.set(metricKey(read), read);
  });
  return values;
}

const process = (name: string) => spark.cluster.processes.find((one) => one.name.startsWith(name))!;

const KILLS: readonly (readonly [what: string, kill: () => void])[] = [
  ['the executor', () => killAll(spark.cluster.executorPids())],
  ['the driver', () => process('connect').kill('SIGKILL')],
  ['the worker', () => process('worker').kill('SIGKILL')],
];

test('ten generated minutes, with Spark killed at random: value by value as the embedded engine', async (t) => {
  const records = recordsOf(generated());
  const random = seededRandom('generated/kills');
  // One in each third of the time, and the stage's own restart near the end.
  const third = PIECES / KILLS.length;
  const kills = new Map(KILLS.map((kill, i) => [Math.floor(third * i) + random.int(4, third - 4), kill]));
  let metrics = running();
  const waitFor = async (isDone: () => boolean) => {
    const until = systemClock.now() + DONE_MS_MAX;
    while (!isDone()) {
      assert.ok(systemClock.now() < until, JSON.stringify(metrics.health()));
      await Promise.race([systemClock.sleep(LOOK_MS), metrics.run]);
    }
  };
  const size = Math.ceil(records.length / PIECES);
  for (let piece = 0; piece < PIECES; piece++) {
    const some = records.slice(piece * size, (piece + 1) * size);
    await broker.append(some.map(({ offset: _, timestamp: __, ...record }: BrokerRecord) => record));
    if (piece === 0) await waitFor(() => metrics.health().processed > 0);
    await Promise.race([systemClock.sleep(PIECE_MS), metrics.run]);
    const kill = kills.get(piece);
    if (kill === undefined) continue;
    const { processed } = metrics.health();
    kill[1]();
    t.diagnostic(`kill -9 of ${kill[0]} with ${processed} of ${records.length} events counted`);
    if (piece > PIECES / 2) {
      await metrics.stop();
      metrics = running();
    }
  }
  await waitFor(() => metrics.health().lag === 0 && metrics.health().figures['windows_open'] === 0);
  await metrics.stop();

  const embedded = drive(records, { live: true, batch: 500 });
  const expected = shownOf(embedded).windows;
  const values = await written();
  const actual = shownOf({ ...embedded, values }).windows;
  t.diagnostic(`${records.length} events, ${Object.keys(expected).length} windows of all metrics`);
  assert.deepEqual(actual, expected);
});
