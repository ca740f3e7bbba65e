import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { Admin, Consumer, Producer } from '@platformatic/kafka';
import { type TestKafka, testKafka } from '../../../test/support/kafka.ts';
import { guardKafkaConnections } from '../../../test/support/kafka-guard.ts';
import { systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { processesOf } from '../processes.ts';
import { nodeLayout } from './format.ts';
import { type KafkaOptions, kafkaMarks, startKafka } from './kafka.ts';
import { isRefusal } from './probe.ts';

describe('three Kafka brokers', () => {
  let kafka: TestKafka;
  const topic = 'kept';

  const as = (user: string, password = kafka.passwords[user]!) => ({
    clientId: 'test',
    bootstrapBrokers: [...kafka.brokers],
    sasl: { mechanism: 'SCRAM-SHA-256' as const, username: user, password },
    retries: 20,
    retryDelay: 200,
  });
  const admin = async <T>(use: (admin: Admin) => Promise<T>): Promise<T> => {
    const client = new Admin(as(kafka.admin.user));
    try {
      return await use(client);
    } finally {
      await client.close();
    }
  };
  const append = async (values: readonly string[]): Promise<void> => {
    const producer = new Producer({ ...as(kafka.admin.user), acks: -1 });
    try {
      const messages = values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) }));
      await producer.send({ messages });
    } finally {
      await producer.close();
    }
  };
  const values = async (count: number): Promise<string[]> => {
    const consumer = new Consumer({ ...as(kafka.admin.user), groupId: 'reader' });
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false });
    const found: string[] = [];
    for await (const { value } of stream) if (found.push(value.toString()) === count) break;
    await stream.close();
    await consumer.close();
    return found;
  };
  const again = (more: Partial<KafkaOptions> = {}) =>
    startKafka({
      dataDir: kafka.dataDir,
      ports: kafka.nodes.map(({ port }) => port),
      controllerPorts: kafka.nodes.map(({ controllerPort }) => controllerPort),
      users: kafka.passwords,
      tied: false,
      clock: systemClock,
      log: silentLog,
      ...more,
    });

  before(async () => {
    guardKafkaConnections();
    kafka = await testKafka();
    await admin((client) => client.createTopics({ topics: [topic], partitions: 1, replicas: 3 }));
    await append(['one', 'two']);
  });
  after(() => kafka.stop());

  test('a topic has three copies, and none is made unasked', async () => {
    const { topics } = await admin((client) => client.metadata({ topics: [topic] }));
    assert.equal(topics.get(topic)!.partitions[0]!.replicas.length, 3);
    await assert.rejects(admin((client) => client.metadata({ topics: ['nobody_made_it'], retries: 0 })));
  });

  test('a wrong password is refused, and a user without rights sees nothing', async () => {
    const wrong = new Admin({ ...as(kafka.admin.user, 'a wrong one'), retries: 0 });
    await assert.rejects(wrong.metadata({ topics: [] }), isRefusal);
    await wrong.close();
    const nobody = new Admin({ ...as('instashop-loader'), retries: 0 });
    assert.deepEqual(await nobody.listTopics(), []);
    await assert.rejects(nobody.createTopics({ topics: ['mine'], partitions: 1 }));
    await nobody.close();
  });

  test('no password stands in a command line, and files that hold one are private', () => {
    for (const { id, pid } of kafka.nodes) {
      const line = readFileSync(`/proc/${pid()}/cmdline`, 'utf8');
      for (const password of Object.values(kafka.passwords)) assert.ok(!line.includes(password));
      const { dir, settings } = nodeLayout(kafka.dataDir, id);
      assert.equal(statSync(settings).mode & 0o777, 0o600);
      assert.ok(!readdirSync(dir).some((name) => name.startsWith('format.')));
    }
  });

  test('a killed node is missed, and returns with what it missed', async () => {
    const [node] = kafka.nodes;
    node!.kill('SIGKILL');
    await assert.doesNotReject(append(['three']));
    assert.equal(node!.pid(), null);
    await node!.start();
    assert.notEqual(node!.pid(), null);
    const inSync = async () =>
      (await admin((client) => client.metadata({ topics: [topic] }))).topics.get(topic)!.partitions[0]!.isr;
    for (let tries = 0; (await inSync()).length < 3; tries++) {
      assert.ok(tries < 100, 'it does not catch up');
      await systemClock.sleep(100);
    }
  });

  test('a second start keeps what runs and starts what is missing', async () => {
    const [first, second] = kafka.nodes;
    const kept = second!.pid();
    await first!.stop();
    const cluster = await again();
    assert.equal(cluster.nodes[1]!.pid(), kept);
    assert.notEqual(cluster.nodes[0]!.pid(), null);
    const [, , third] = kafka.nodes;
    await assert.rejects(again({ ports: [third!.port, first!.port, second!.port] }), /on other ports/);
  });

  test('data survives a stop of all, and the users do', async () => {
    const cluster = await again();
    await cluster.stop();
    assert.deepEqual(kafkaMarks(kafka.dataDir).flatMap(processesOf), []);
    await again({ users: { ...kafka.passwords, 'instashop-loader': 'a-new-password' } });
    assert.deepEqual(await values(3), ['one', 'two', 'three']);
    const loader = new Admin({ ...as('instashop-loader', 'a-new-password'), retries: 0 });
    assert.deepEqual(await loader.listTopics(), []);
    await loader.close();
  });

  test('other passwords than the data was made with are told', async () => {
    const users = { ...kafka.passwords, 'instashop-admin': 'some-other-one' };
    await assert.rejects(
      again({ users }),
      (error) => error instanceof UserError && /refuses the password/.test(error.message),
    );
  });
});

test('the brokers of a process end with it, kill -9 included', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-kafka-tied-'));
  const program = join(import.meta.dirname, 'testing', 'tied-kafka.ts');
  const child = spawn(process.execPath, [program, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    await once(createInterface(child.stdout), 'line');
    const marks = kafkaMarks(folder);
    assert.equal(marks.flatMap(processesOf).length, 3);
    child.kill('SIGKILL');
    const until = systemClock.now() + 15_000;
    while (marks.flatMap(processesOf).length > 0) {
      assert.ok(systemClock.now() < until, 'brokers are left');
      await systemClock.sleep(100);
    }
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    assert.ok(!existsSync(folder));
  }
});
