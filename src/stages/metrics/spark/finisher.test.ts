import assert from 'node:assert/strict';
import test, { beforeEach } from 'node:test';
import { type MemoryBroker, memoryBroker } from '../../../../test/support/memory-broker.ts';
import type { MetricValue } from '../../../contracts/metric-value.ts';
import { METRICS, REPAIR_HORIZON_MS } from '../../../contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC, TOPICS } from '../../../contracts/topics.ts';
import { type BrokerRecord, topicPartition } from '../../../stores/broker/broker.ts';
import { Emission } from '../emission.ts';
import { sourcesOf, topicsOf } from '../sources.ts';
import { Finisher } from './finisher.ts';

/** A window's start. */
const T = 1_795_517_580_000;
const END = T + 30_000;

let broker: MemoryBroker;
let finisher: Finisher;
let isAtRest: boolean;
const next = [0, 0];
beforeEach(async () => {
  broker = memoryBroker([...Object.values(TOPICS), SPARK_WINDOWS_TOPIC]);
  isAtRest = false;
  next.fill(0);
  finisher = new Finisher({
    broker,
    claim: { append: (records) => broker.append(records) },
    query: { isAtRest: async () => isAtRest },
    definitions: METRICS,
    generation: 'g1',
    sources: await sourcesOf(broker, topicsOf(METRICS), null),
    start: { epoch: 0, rows: { topicId: 't', next: [0, 0], batch: 0 } },
    state: null,
    now: 0,
  });
});

interface Row {
  readonly d: string;
  readonly k: readonly (string | null)[];
  readonly n: number;
  readonly w?: number;
  readonly v?: readonly (number | null)[];
  readonly t?: number;
}
/** Rows as they stand in a partition of the topic. */
const inPartition = (partition: number, b: number, rows: readonly Row[], g = 'g1'): readonly BrokerRecord[] =>
  rows.map(({ d, k, n, w = 0, v = [], t = 0 }) => {
    const value = Buffer.from(JSON.stringify({ g, b, d, k, w, n, v, l: [], t, c: t }));
    const offset = next[partition]!++;
    const { name: topic } = SPARK_WINDOWS_TOPIC;
    return { topic, partition, offset, key: `${g}|${offset}`, value, headers: {}, timestamp: 0 };
  });
const read = (...records: readonly (readonly BrokerRecord[])[]) =>
  finisher.take({ records: records.flat() }, 0);

const search = (n: number, w = END): Row => ({ d: 'searches', k: ['shoes'], w, n, v: [n, 1, n], t: w - 1 });
const events = (n: number, w = END): Row => ({ d: '_events', k: ['searches'], w, n, v: [0] });
const source = (n: number, newest: number): Row => ({
  d: '_source',
  k: ['searches', '0', '2026-11-24', 'taken'],
  n,
  v: [n - 1, newest],
});
/** The newest values of the term. */
const shown = (): MetricValue | undefined => {
  const values = new Emission(finisher.unsent).take(0, true);
  return values.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as MetricValue).at(-1);
};
const late = () => finisher.figures(0)['late'];

test('event times count once their batch is read whole, so its own rows are not late', async () => {
  await read(inPartition(0, 10, [source(5, END + 60_000)]));
  await read(inPartition(1, 10, [search(3), events(3)]));
  assert.deepEqual([shown()?.state, late()], ['open', 0]);
  await read(inPartition(0, 20, [source(6, END + 60_001)]), inPartition(1, 20, [events(1, END + 90_000)]));
  assert.deepEqual([shown()?.state, late()], ['closed', 0]);
});

test('when nothing follows, windows close once the query is at rest', async () => {
  await read(inPartition(0, 10, [source(3, END + 10_000), search(3), events(3)]));
  await finisher.look(0);
  finisher.pass(0);
  assert.equal(shown()?.state, 'open');
  isAtRest = true;
  await finisher.look(0);
  finisher.pass(0);
  assert.equal(shown()?.state, 'closed');
});

test('what grows after its window closed is late and revises it; after the horizon nothing changes it', async () => {
  isAtRest = true;
  await read(inPartition(0, 10, [source(3, END + 10_000), search(3), events(3)]));
  await finisher.look(0);
  finisher.pass(0);
  shown();
  await read(inPartition(0, 20, [search(5), events(5)]));
  const { events: count, revision, state, values } = shown()!;
  assert.deepEqual([count, revision, state, values['count'], late()], [5, 2, 'closed', 5, 2]);
  await read(inPartition(0, 30, [source(6, END + 10_000 + REPAIR_HORIZON_MS)]));
  await finisher.look(0);
  finisher.pass(0);
  await read(inPartition(0, 40, [search(6), events(6)]));
  await finisher.look(0);
  assert.equal(shown(), undefined);
  assert.ok(finisher.readyToSave());
  finisher.takeChanges();
  assert.equal(finisher.figures(0)['too_late'], 1, 'six were taken, five are in windows');
});

test('a row older than the one that was taken, or of another generation, changes nothing', async () => {
  await read(inPartition(0, 20, [search(5), events(5), source(5, END)]));
  await read(inPartition(1, 10, [search(4), events(4), source(4, END)]));
  await read(inPartition(1, 20, [search(9), events(9), source(9, END)], 'g0'));
  assert.equal(shown()?.events, 5);
  isAtRest = true;
  await finisher.look(0);
  assert.ok(finisher.readyToSave());
  const { tallies, offsets } = finisher.takeChanges();
  assert.deepEqual(
    tallies.filter(({ count }) => count !== 0).map(({ fate, count }) => [fate, count]),
    [['counted', 5]],
  );
  assert.equal(offsets.find(({ source: name }) => name === topicPartition('searches', 0))?.nextOffset, 5);
});

test('groups have the types that their fields have', async () => {
  const slots = METRICS.find(({ name }) => name === 'products')!.aggregates;
  const v = Object.keys(slots).map(() => 1);
  await read(inPartition(0, 10, [{ d: 'products', k: ['USD', '17'], w: END, n: 1, v }]));
  assert.deepEqual(shown()?.group, { currency: 'USD', product_id: 17 });
});

test('a row that fits no definition is a defect, and is not passed over', async () => {
  await assert.rejects(read(inPartition(0, 10, [{ ...search(1), v: [1] }])), /fits no definition: searches/);
  await assert.rejects(read(inPartition(0, 10, [{ d: 'unknown', k: [], w: END, n: 1 }])), /unknown/);
});
