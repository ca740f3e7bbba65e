// Drives the embedded engine over lines through a real checkpoint, with crashes, and keeps what a reader of topic
// `metrics` would have in the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MetricValue, metricKey, metricVersion } from '../../../src/contracts/metric-value.ts';
import { METRICS, type MetricDefinition, REPAIR_HORIZON_MS } from '../../../src/contracts/metrics.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { WindowEngine } from '../../../src/stages/metrics/embedded/window-engine.ts';
import { Emission } from '../../../src/stages/metrics/emission.ts';
import type { Accounting } from '../../../src/stages/metrics/engine.ts';
import { openSqliteCheckpoint, readAccounting } from '../../../src/stages/metrics/sqlite-checkpoint.ts';
import { type BrokerRecord, type TopicPartition, topicPartition } from '../../../src/stores/broker/broker.ts';
import type { Line } from './naive.ts';

export interface Drive {
  /** Records taken before each crash; then it goes on from the checkpoint. */
  readonly crashes?: readonly number[];
  readonly batch?: number;
  /** Batches from one save to the next. */
  readonly saveEvery?: number;
  /** true: the reader is at the end of every partition after each batch, as in a running system. */
  readonly live?: boolean;
  readonly definitions?: readonly MetricDefinition[];
}

export interface Driven {
  /** Newest version per key, after everything is closed. */
  readonly values: ReadonlyMap<string, MetricValue>;
  readonly accounting: Accounting;
  /** The same once every window has gone past the horizon. */
  readonly settled: Accounting;
  readonly figures: Readonly<Record<string, number>>;
  readonly refused: ReadonlyMap<string, string>;
}

const PARTITIONS = [0, 1, 2, 3, 4, 5];

/** The log: lines get their offsets in order. */
export function recordsOf(lines: readonly Line[]): readonly BrokerRecord[] {
  const next = new Map<TopicPartition, number>();
  return lines.map(({ topic, partition, event }) => {
    const name = topicPartition(topic, partition);
    const offset = next.get(name) ?? 0;
    next.set(name, offset + 1);
    const value = Buffer.from(JSON.stringify(event));
    return { topic, partition, offset, key: null, value, headers: {}, timestamp: 0 };
  });
}

/** Lives of the engine, one after each crash, on one checkpoint; the last one takes everything that is left. */
export function drive(records: readonly BrokerRecord[], options: Drive = {}): Driven {
  const { crashes = [], definitions = METRICS } = options;
  const dir = mkdtempSync(join(tmpdir(), 'instashop-golden-'));
  const log = { records, ends: endsOf(records, definitions) };
  const reader: Reader = { values: new Map(), refused: new Map() };
  try {
    for (const crashAfter of crashes) live(dir, log, reader, options, crashAfter).checkpoint.close();
    const { engine, checkpoint } = live(dir, log, reader, options, Number.POSITIVE_INFINITY);
    pass(engine, 60);
    emit(engine, reader);
    checkpoint.save(engine.takeChanges());
    const accounting = readAccounting(dir, definitions)!;
    const figures = engine.figures(0);
    pass(engine, REPAIR_HORIZON_MS / 1_000 + 3_600);
    checkpoint.save(engine.takeChanges());
    checkpoint.close();
    return { ...reader, accounting, figures, settled: readAccounting(dir, definitions)! };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** What is outside the engine and outlives it. */
interface Reader {
  readonly values: Map<string, MetricValue>;
  readonly refused: Map<string, string>;
}
interface Log {
  readonly records: readonly BrokerRecord[];
  readonly ends: ReadonlyMap<TopicPartition, number>;
}

/** From the checkpoint on, until so many records were taken. */
function live(dir: string, { records, ends }: Log, reader: Reader, options: Drive, crashAfter: number) {
  const { batch = 10, saveEvery = 3, live: caughtUp = false, definitions = METRICS } = options;
  const checkpoint = openSqliteCheckpoint(dir, definitions, silentLog);
  const state = checkpoint.load();
  const from = new Map(state?.offsets.map(({ source, nextOffset }) => [source, nextOffset]));
  const next = (name: TopicPartition) => from.get(name) ?? 0;
  const sources = [...ends].map(([name, end]) => {
    const [topic, partition] = name.split('/') as [string, string];
    const lag = caughtUp ? 0 : end - next(name);
    return { topic, partition: Number(partition), topicId: 't', nextOffset: next(name), lag };
  });
  const engine = new WindowEngine({ definitions, sources, state, now: 0 });
  const left = records.filter(
    ({ topic, partition, offset }) => offset >= next(topicPartition(topic, partition)),
  );
  const taken = left.slice(0, crashAfter);
  for (let i = 0, batches = 1; i < taken.length; i += batch, batches++) {
    const some = taken.slice(i, i + batch);
    const refusals = engine.apply(some, caughtUp ? new Map() : lagAfter(some, ends), 0);
    for (const { record, reason } of refusals) {
      reader.refused.set(`${topicPartition(record.topic, record.partition)}/${record.offset}`, reason);
    }
    emit(engine, reader);
    if (batches % saveEvery === 0) checkpoint.save(engine.takeChanges());
  }
  return { engine, checkpoint };
}

/** Writes what changed; the reader keeps the newest version of each key. */
function emit(engine: WindowEngine, { values }: Reader): void {
  for (const { key, value } of new Emission(engine.unsent).take(0, true)) {
    const written = JSON.parse(Buffer.from(value).toString()) as MetricValue;
    if (key !== metricKey(written)) throw new Error(`${key} is not ${metricKey(written)}`);
    const before = values.get(key);
    if (before === undefined || metricVersion(written) > metricVersion(before)) values.set(key, written);
  }
}

/** Time passes without events. */
function pass(engine: WindowEngine, seconds: number): void {
  for (let second = 5; second <= seconds; second += 5) engine.pass(second * 1_000);
}

function endsOf(records: readonly BrokerRecord[], definitions: readonly MetricDefinition[]) {
  const topics = new Set(definitions.flatMap((definition) => definition.topics));
  const ends = new Map<TopicPartition, number>();
  for (const topic of topics) for (const one of PARTITIONS) ends.set(topicPartition(topic, one), 0);
  for (const { topic, partition, offset } of records) ends.set(topicPartition(topic, partition), offset + 1);
  return ends;
}

const lagAfter = (batch: readonly BrokerRecord[], ends: ReadonlyMap<TopicPartition, number>) =>
  new Map(
    batch.map(({ topic, partition, offset }): [TopicPartition, number] => {
      const name = topicPartition(topic, partition);
      return [name, ends.get(name)! - offset - 1];
    }),
  );
