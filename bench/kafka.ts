// How fast the adapter writes to and reads from three brokers, beside Kafka's own tools in the same run:
// `node bench/kafka.ts`. Needs Java and Maven, which fetches the tools' jars.
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../src/lib/clock.ts';
import { positionOf } from '../src/lib/position.ts';
import type { Broker, OutgoingRecord } from '../src/stores/broker/broker.ts';
import { openKafka, type TestKafka, testKafka } from '../test/support/kafka.ts';
import type { BenchResult } from './result.ts';

const run = promisify(execFile);
const RECORDS = 300_000;
const CALL = 3_000;
const VALUE_BYTES = 400;
const PARTITIONS = 6;
const TOOLS_VERSION = '4.3.1';
const WAKES = 300;

/** Both write half random digits, half text, so that compression has the same to do. */
export async function bench(): Promise<readonly BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const kafka = await testKafka();
  const broker = openKafka(kafka);
  try {
    const tools = await toolsOf(folder, kafka);
    await broker.createTopics(
      ['ours', 'theirs', 'wake'].map((name) => ({ name, partitions: PARTITIONS, compacted: false })),
    );
    const values = makeValues();
    writeFileSync(join(folder, 'values'), values.join('\n'));
    // Once before, not measured: both compilers warm up, and the brokers too.
    await append(broker, 'wake', values.slice(0, 30_000));
    const theirWrite = await tools.produce('theirs');
    const ourWrite = await append(broker, 'ours', values);
    const theirRead = await tools.consume('ours');
    const ourRead = await read(broker, 'ours');
    const wakes = await wakeTimes(broker);
    const figure = (name: string, ms: number, peer: string, peerMs: number): BenchResult => ({
      name: `kafka: ${name}`,
      value: Math.round(RECORDS / (ms / 1_000)),
      unit: 'records/s',
      peer,
      peerValue: Math.round(RECORDS / (peerMs / 1_000)),
      ratio: peerMs / ms,
      target: 'ratio >= 0.5',
    });
    return [
      figure('append, three replicas', ourWrite, 'ProducerPerformance, acks=all, zstd', theirWrite),
      figure('read', ourRead, 'ConsumerPerformance of the same topic', theirRead),
      { name: 'kafka: append of 20 to a waiting reader, p50', value: percentile(wakes, 0.5), unit: 'ms' },
      { name: 'kafka: append of 20 to a waiting reader, p99', value: percentile(wakes, 0.99), unit: 'ms' },
    ];
  } finally {
    await broker.close();
    await kafka.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

const makeValues = (): readonly string[] => {
  let seed = 1;
  const digits = (): string => {
    seed = (seed * 48_271) % 2_147_483_647;
    return String(seed).padStart(10, '0');
  };
  const text = 'merchant product quantity currency amount status ';
  return Array.from({ length: RECORDS }, () =>
    (Array.from({ length: 20 }, digits).join('') + text.repeat(5)).slice(0, VALUE_BYTES),
  );
};

const toRecord = (topic: string, value: string, i: number): OutgoingRecord => ({
  topic,
  partition: i % PARTITIONS,
  key: String(i),
  value: Buffer.from(value),
  headers: { position: positionOf(BigInt(i), 0) },
});

/** Calls of 3,000, two under way, as a stage that does the next while one is written. Resolves with the ms taken. */
async function append(broker: Broker, topic: string, values: readonly string[]): Promise<number> {
  const records = values.map((value, i) => toRecord(topic, value, i));
  const start = performance.now();
  let before = Promise.resolve();
  for (let i = 0; i < records.length; i += CALL) {
    const call = broker.append(records.slice(i, i + CALL));
    await before;
    before = call;
  }
  await before;
  return performance.now() - start;
}

async function read(broker: Broker, topic: string): Promise<number> {
  const start = performance.now();
  let seen = 0;
  const signal = AbortSignal.timeout(120_000);
  for await (const batch of broker.read({ topics: [topic], group: 'bench', signal })) {
    seen += batch.records.length;
    if (seen === RECORDS) return performance.now() - start;
  }
  throw new Error(`${seen} of ${RECORDS} records were read`);
}

/** From the call of `append` to a reader that has the records, one call every 5 ms; sorted. */
async function wakeTimes(broker: Broker): Promise<readonly number[]> {
  const stop = new AbortController();
  const states = await broker.partitions('wake');
  const from = new Map(states.map(({ partition, end }) => [`wake/${partition}` as const, end]));
  let seen = 0;
  let arrived = Promise.withResolvers<void>();
  const reading = (async () => {
    for await (const batch of broker.read({ topics: ['wake'], group: 'bench', from, signal: stop.signal })) {
      seen += batch.records.length;
      if (seen % 20 === 0) arrived.resolve();
    }
  })();
  const times: number[] = [];
  for (let i = 0; i < WAKES; i++) {
    const start = performance.now();
    await broker.append(Array.from({ length: 20 }, (_, n) => toRecord('wake', `${i} ${n}`, n)));
    await arrived.promise;
    arrived = Promise.withResolvers();
    times.push(performance.now() - start);
    await systemClock.sleep(5);
  }
  stop.abort();
  await reading;
  return times.slice(20).sort((a, b) => a - b);
}

const percentile = (sorted: readonly number[], part: number): number =>
  Math.round(sorted[Math.floor(sorted.length * part)]! * 100) / 100;

interface Tools {
  /** Milliseconds, as the tools say. */
  produce(topic: string): Promise<number>;
  consume(topic: string): Promise<number>;
}

async function toolsOf(folder: string, kafka: TestKafka): Promise<Tools> {
  writeFileSync(join(folder, 'pom.xml'), POM);
  const jars = join(folder, 'jars');
  const copy = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`];
  await run('mvn', ['-q', '-B', ...copy], { cwd: folder });
  const { user, password } = kafka.admin;
  const login = `org.apache.kafka.common.security.scram.ScramLoginModule required`;
  writeFileSync(
    join(folder, 'client.properties'),
    [
      `bootstrap.servers=${kafka.brokers.join()}`,
      'security.protocol=SASL_PLAINTEXT',
      'sasl.mechanism=SCRAM-SHA-256',
      `sasl.jaas.config=${login} username="${user}" password="${password}";`,
    ].join('\n'),
    { mode: 0o600 },
  );
  const java = async (tool: string, args: readonly string[]): Promise<string> => {
    const main = `org.apache.kafka.tools.${tool}`;
    return (await run('java', ['-Xmx512m', '-cp', `${jars}/*`, main, ...args], { maxBuffer: 16 << 20 }))
      .stdout;
  };
  const config = join(folder, 'client.properties');
  return {
    async produce(topic) {
      const settings = ['acks=all', 'compression.type=zstd', 'batch.size=500000', 'linger.ms=5'];
      const output = await java('ProducerPerformance', [
        ...['--topic', topic, '--num-records', String(RECORDS), '--throughput', '-1'],
        ...['--payload-file', join(folder, 'values'), '--command-config', config],
        ...['--command-property', ...settings],
      ]);
      const perSecond = /records sent, ([\d.]+) records\/sec[^\n]*99\.9th/.exec(output)?.[1];
      if (!perSecond) throw new Error(`ProducerPerformance said: ${output}`);
      return (RECORDS / Number(perSecond)) * 1_000;
    },
    async consume(topic) {
      const output = await java('ConsumerPerformance', [
        ...['--topic', topic, '--num-records', String(RECORDS), '--bootstrap-server', kafka.brokers.join()],
        ...['--command-config', config, '--timeout', '60000'],
      ]);
      const fields = output.trim().split('\n').at(-1)!.split(', ');
      const perSecond = Number(fields.at(-1));
      if (!(perSecond > 0)) throw new Error(`ConsumerPerformance said: ${output}`);
      return (RECORDS / perSecond) * 1_000;
    },
  };
}

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bench</groupId><artifactId>kafka-tools</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency>
    <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${TOOLS_VERSION}</version>
  </dependency></dependencies>
</project>`;

if (import.meta.main) console.table(await bench());
