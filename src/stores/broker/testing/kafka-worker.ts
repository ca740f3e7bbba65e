// A process of its own that writes with a claim or reads as a member of a group, to be frozen and killed:
// `node kafka-worker.ts claim|share <brokers> <user> <password> <topic>`. It says on a line what it did.
import { writeSync } from 'node:fs';
import { systemClock } from '../../../lib/clock.ts';
import { silentLog } from '../../../lib/log.ts';
import { FencedError, topicPartition } from '../broker.ts';
import { kafkaBroker } from '../kafka-broker.ts';

const [what, brokers, user, password, topic] = process.argv.slice(2) as [
  string,
  string,
  string,
  string,
  string,
];
const broker = kafkaBroker({
  brokers: brokers.split(','),
  auth: { user, password },
  tls: false,
  clientId: `worker-${process.pid}`,
  clock: systemClock,
  log: silentLog,
});
const say = (line: string): number => writeSync(1, `${line}\n`);

async function write(): Promise<void> {
  const claim = await broker.claim(`owner of ${topic}`, [topicPartition(topic, 0)]);
  try {
    for (let i = 0; ; i++) {
      const value = Buffer.from(`old ${i}`);
      // Several under way at once: some wait behind the one that is being sent.
      const calls = [0, 1, 2].map(() =>
        claim.append([{ topic, partition: 0, key: null, value, headers: {} }]),
      );
      await Promise.all(calls);
      say(`wrote ${i}`);
    }
  } catch (error) {
    say(error instanceof FencedError ? 'fenced' : String(error));
  }
}

async function share(): Promise<void> {
  const options = { topics: [topic], group: topic, shared: true, signal: new AbortController().signal };
  for await (const batch of broker.read(options)) {
    for (const { partition, value } of batch.records) say(`${partition} ${Buffer.from(value)}`);
    await batch.ack();
  }
}

await (what === 'claim' ? write() : share());
await broker.close();
