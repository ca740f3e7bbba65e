// Brokers, Redis and PostgreSQL servers die under load and come back: the flow goes on by itself, and nothing is lost
// or counted twice.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { clusterVerified, type TestCluster, testCluster } from '../support/cluster.ts';
import { type Program, until, untilNewNumber } from '../support/system.ts';

const RATE = '2000';
/** What a fault may cost a viewer: longer is no recovery by itself. */
const RECOVERY_MS_MAX = 120_000;
/** How long servers stay away. */
const AWAY_MS = 5_000;

let cluster: TestCluster;
let system: Program;
const measured: string[] = [];

before(async () => {
  cluster = await testCluster();
  system = cluster.start(['run', '--rate', RATE]);
  await newNumber();
  await sleep(3_000);
});

after(async () => {
  await cluster?.remove();
});

const newNumber = () => untilNewNumber(cluster, { programs: [system], msMax: RECOVERY_MS_MAX });

function fault(what: string, body: () => Promise<string>): void {
  test(what, async (t) => {
    const said = await body();
    measured.push(`${what}: ${said}`);
    t.diagnostic(said);
    assert.ok(system.isRunning(), system.said());
  });
}

for (const index of [0, 1, 2]) {
  // One of them is the controller, and each coordinates some group.
  fault(`kill -9 of broker ${index + 1}, and its return`, async () => {
    const node = cluster.kafka.nodes[index]!;
    node.kill('SIGKILL');
    const ms = await newNumber();
    await sleep(AWAY_MS);
    await node.start();
    const back = await newNumber();
    return `new number after ${ms} ms; when it returned, after ${back} ms`;
  });
}

fault('two brokers gone, and their return', async () => {
  const [first, second] = cluster.kafka.nodes;
  first!.kill('SIGKILL');
  second!.kill('SIGKILL');
  await sleep(AWAY_MS);
  await Promise.all([first!.start(), second!.start()]);
  return `new number ${await newNumber()} ms after both returned`;
});

fault('a rolling restart of all brokers', async () => {
  let worst = 0;
  for (const node of cluster.kafka.nodes) {
    await node.stop();
    worst = Math.max(worst, await newNumber());
    await node.start();
    await newNumber();
  }
  return `new number after at most ${worst} ms`;
});

fault('Redis killed, and its return', async () => {
  await cluster.redis.kill();
  await sleep(AWAY_MS);
  await cluster.redis.start();
  return `new number ${await newNumber()} ms after its return`;
});

fault('Redis flushed', async () => {
  const { size, flush } = cluster.redis;
  const keys = await size();
  await flush();
  const ms = await newNumber();
  await until('it is filled again', async () => ((await size()) >= keys * 0.9 ? true : null), {
    programs: [system],
  });
  return `new number after ${ms} ms, and all keys are back`;
});

for (const which of ['shop', 'dwh'] as const) {
  fault(`the PostgreSQL server of ${which} restarted`, async () => {
    await cluster.restartPostgres(which);
    return `new number ${await newNumber()} ms after its return`;
  });
}

test('after all of it every place agrees to the cent, and no topic holds a change twice', async (t) => {
  const { code } = await system.stop();
  assert.equal(code, 0, system.said());
  system = cluster.start(['run', '--generator', 'off']);
  const said = await clusterVerified(cluster);
  t.diagnostic(said.split('\n').slice(0, 12).join('\n'));
  for (const line of measured) t.diagnostic(line);
});
