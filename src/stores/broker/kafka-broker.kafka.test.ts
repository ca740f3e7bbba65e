import { after, before } from 'node:test';
import { type TestKafka, testKafka } from '../../../test/support/kafka.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { brokerSuite } from './broker.suite.ts';
import { kafkaBroker } from './kafka-broker.ts';

let kafka: TestKafka;
before(async () => {
  kafka = await testKafka();
});
after(() => kafka.stop());

const open = async () =>
  kafkaBroker({
    brokers: kafka.brokers,
    auth: kafka.admin,
    tls: false,
    clientId: 'test',
    clock: systemClock,
    log: silentLog,
  });

brokerSuite('Kafka', () => open, { machines: true });
