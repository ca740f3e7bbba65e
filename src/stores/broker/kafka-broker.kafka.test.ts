import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, test } from 'node:test';
import { Admin, ConfigResourceTypes } from '@platformatic/kafka';
import { type TestKafka, testKafka } from '../../../test/support/kafka.ts';
import { METRICS_TTL_MS } from '../../contracts/metrics.ts';
import { CAPTURE_STATE_TOPIC, TOPICS } from '../../contracts/topics.ts';
import { systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { brokerSuite, newTopic, record, take, text } from './broker.suite.ts';
import { type Broker, type PartitionState, RecordTooLargeError, topicPartition } from './broker.ts';
import { type KafkaBrokerOptions, kafkaBroker } from './kafka-broker.ts';

let kafka: TestKafka;
before(async () => {
  kafka = await testKafka();
});
after(() => kafka.stop());

const open = async (options: Partial<KafkaBrokerOptions> = {}) =>
  kafkaBroker({
    brokers: kafka.brokers,
    auth: kafka.admin,
    tls: false,
    clientId: 'test',
    clock: systemClock,
    log: silentLog,
    ...options,
  });

brokerSuite('Kafka', () => () => open(), { machines: true });

async function withBroker(
  body: (broker: Broker) => Promise<void>,
  options: Partial<KafkaBrokerOptions> = {},
): Promise<void> {
  const broker = await open(options);
  await body(broker).finally(() => broker.close());
}

async function withAdmin<T>(action: (admin: Admin) => Promise<T>): Promise<T> {
  const { user: username, password } = kafka.admin;
  const admin = new Admin({
    clientId: 'test',
    bootstrapBrokers: [...kafka.brokers],
    sasl: { mechanism: 'SCRAM-SHA-256', username, password },
  });
  return action(admin).finally(() => admin.close());
}

test('topics are made with the settings that their use asks for', () =>
  withBroker(
    async (broker) => {
      const { transactions, metrics, stageHealth } = TOPICS;
      await broker.createTopics([transactions, metrics, stageHealth, CAPTURE_STATE_TOPIC]);
      const settings = await withAdmin(async (admin) => {
        const described = await admin.describeConfigs({
          resources: [transactions, metrics, stageHealth, CAPTURE_STATE_TOPIC].map(({ name }) => ({
            resourceType: ConfigResourceTypes.TOPIC,
            resourceName: name,
            configurationKeys: null,
          })),
        });
        return described.map(({ configs }) => new Map(configs.map(({ name, value }) => [name, value])));
      });
      const of = (index: number, ...names: string[]) => names.map((name) => settings[index]!.get(name));
      for (const index of [0, 1, 2, 3])
        assert.deepEqual(of(index, 'min.insync.replicas', 'max.message.bytes'), ['2', '1048588']);
      assert.deepEqual(of(0, 'cleanup.policy', 'retention.ms', 'retention.bytes'), [
        'delete',
        '1000',
        '1000',
      ]);
      assert.deepEqual(of(1, 'cleanup.policy', 'retention.ms'), [
        'compact,delete',
        String(2 * METRICS_TTL_MS),
      ]);
      assert.deepEqual(of(2, 'cleanup.policy', 'min.compaction.lag.ms'), ['compact', '0']);
      assert.deepEqual(of(3, 'cleanup.policy', 'min.compaction.lag.ms'), ['compact', '86400000']);
    },
    { retentionMs: 1_000, retentionBytes: 6_000 },
  ));

test('what a topic takes at once may be less than what is sent', () =>
  withBroker(async (broker) => {
    const topic = newTopic(1);
    // Made for records of 1,000 bytes: batches of more than some 50 KB are refused.
    await withBroker((small) => small.createTopics([topic]), { recordBytesMax: 1_000 });
    const values = Array.from({ length: 300 }, () => randomBytes(400).toString('base64'));
    await broker.append(values.map((value) => record(topic.name, value)));
    await broker.append([record(topic.name, 'after')]);
    const large = broker.append([
      record(topic.name, '', { value: randomBytes(200_000) }),
      record(topic.name, 'with it'),
    ]);
    await assert.rejects(large, RecordTooLargeError);
    await broker.append([record(topic.name, 'last')]);
    const records = await take(broker, 303, { topics: [topic.name], group: 'g' });
    assert.deepEqual(records.map(text), [...values, 'after', 'with it', 'last']);
  }));

test('the tail is the newest record, however many claims came after it', () =>
  withBroker(async (broker) => {
    const topic = newTopic(1);
    await broker.createTopics([topic]);
    const names = [topicPartition(topic.name, 0)];
    const claim = await broker.claim(topic.name, names);
    assert.equal((await broker.partitions(topic.name))[0]!.tail, null);
    await claim.append(['1', '2'].map((value) => record(topic.name, value)));
    for (let i = 0; i < 10; i++) await broker.claim(topic.name, names);
    const [{ end, tail }] = (await broker.partitions(topic.name)) as [PartitionState];
    assert.equal(text(tail!), '2');
    assert.ok(end >= tail!.offset + 11);
  }));

test('a topic that is made anew while it is read stops the reader', () =>
  withBroker(async (broker) => {
    const topic = newTopic(1);
    await broker.createTopics([topic]);
    await broker.append([record(topic.name, '1')]);
    const isTold = (error: unknown) => error instanceof UserError && /made anew/.test(error.message);
    const told = assert.rejects(take(broker, 2, { topics: [topic.name], group: 'g' }), isTold);
    await systemClock.sleep(300);
    const topicId = async () => (await broker.partitions(topic.name).catch(() => []))[0]?.topicId;
    const old = await topicId();
    await withAdmin((admin) => admin.deleteTopics({ topics: [topic.name] }));
    // Until every broker has learnt that it is gone, making it anew does nothing.
    for (let id = old; id === old || id === undefined; id = await topicId())
      await broker.createTopics([topic]);
    await broker.append([record(topic.name, 'of another log')]);
    await told;
  }));
