// The whole system with Spark as its metrics engine: its processes die under load, the flow goes on by itself, and
// every place agrees to the cent.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { clusterVerified, type TestCluster, testCluster } from '../support/cluster.ts';
import { type ClusterSpark, testSparkFor } from '../support/spark.ts';
import { killAll, type Program, until, untilNewNumber } from '../support/system.ts';

const RATE = '100';
/** What a fault may cost a viewer: longer is no recovery by itself. */
const RECOVERY_MS_MAX = 180_000;

let cluster: TestCluster;
let spark: ClusterSpark;
let environment: Readonly<Record<string, string>>;
let system: Program;
const watching = new AbortController();

before(async () => {
  cluster = await testCluster();
  spark = await testSparkFor(cluster);
  ({ environment } = spark);
  void spark.cluster.watch(watching.signal);
  system = cluster.start(['run', '--rate', RATE], environment);
  await newNumber();
});

after(async () => {
  watching.abort();
  await cluster?.remove();
  await spark?.stop();
});

const newNumber = () => untilNewNumber(cluster, { programs: [system], msMax: RECOVERY_MS_MAX });

test('Spark counts what the shop sells', async (t) => {
  const figures = async () =>
    (await cluster.health())?.stages.find(({ stage }) => stage === 'metrics')?.figures ?? {};
  const isCounted = async () => (((await figures())['spark_state_rows'] ?? 0) > 0 ? true : null);
  await until('windows counted by Spark', isCounted, { programs: [system], msMax: RECOVERY_MS_MAX });
  t.diagnostic(JSON.stringify(await figures()));
});

const process = (name: string) => spark.cluster.processes.find((one) => one.name.startsWith(name))!;

const FAULTS: readonly (readonly [what: string, kill: () => Promise<void> | void])[] = [
  ['an executor', () => killAll(spark.cluster.executorPids())],
  ['a worker', () => process('worker').kill('SIGKILL')],
  ['the master', () => process('master').kill('SIGKILL')],
  ['the driver', () => process('connect').kill('SIGKILL')],
  [
    'the metrics stage with all others',
    async () => {
      await system.kill();
      system = cluster.start(['run', '--rate', RATE], environment);
    },
  ],
];

for (const [what, kill] of FAULTS) {
  test(`kill -9 of ${what}: the flow goes on by itself`, async (t) => {
    await kill();
    // The first one may be of a batch that was done before.
    const ms = [await newNumber(), await newNumber()];
    t.diagnostic(`new numbers after ${ms[0]} ms, and ${ms[1]} ms after that`);
  });
}

test('after all of it every place agrees to the cent', async (t) => {
  const { code } = await system.stop();
  assert.equal(code, 0, system.said());
  system = cluster.start(['run', '--generator', 'off'], environment);
  const said = await clusterVerified(cluster);
  t.diagnostic(said.split('\n').slice(0, 12).join('\n'));
});
