// What the half of the Spark engine that is not Spark costs, with its values rendered and its checkpoints saved:
// `node bench/finisher.ts`. Processor time of one thread, so that what else runs on the machine does not matter.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { METRICS } from '../src/contracts/metrics.ts';
import { silentLog } from '../src/lib/log.ts';
import { seededRandom } from '../src/lib/random.ts';
import { Emission } from '../src/stages/metrics/emission.ts';
import { topicsOf } from '../src/stages/metrics/sources.ts';
import { Finisher } from '../src/stages/metrics/spark/finisher.ts';
import { openSqliteCheckpoint, readAccounting } from '../src/stages/metrics/sqlite-checkpoint.ts';
import { type BrokerRecord, topicPartition } from '../src/stores/broker/broker.ts';
import { SparkModel } from '../test/support/golden/spark-model.ts';
import { events } from './engine.ts';
import type { BenchResult } from './result.ts';

/** Half a second of a shop with 1,000 sales/s. */
const BATCH_EVENTS = 1_700;
const BATCH_MS = 500;
const ROWS_AT_ONCE = 500;
const SAVED_EVERY_ROWS = 6_000;
const ROUNDS = 4;
const PARTITIONS = [0, 1, 2, 3, 4, 5];

/** Rows of topic spark_windows for the events of the other benchmark. */
function sparkRows(): { readonly rows: readonly BrokerRecord[]; readonly counted: number } {
  const ends = new Map<string, number>();
  const numbered = <T extends { topic: string; partition: number }>(record: T) => {
    const name = topicPartition(record.topic, record.partition);
    const offset = ends.get(name) ?? 0;
    ends.set(name, offset + 1);
    return { ...record, offset, timestamp: 0 };
  };
  const records = events(seededRandom('bench/engine')).map(({ topic, bytes }, i) =>
    numbered({ topic, partition: i % 6, key: null, value: bytes, headers: {} }),
  );
  const model = new SparkModel(METRICS, 'g');
  const rows: BrokerRecord[] = [];
  for (let i = 0; i < records.length; i += BATCH_EVENTS) {
    rows.push(...model.batch(records.slice(i, i + BATCH_EVENTS), i + BATCH_MS).map(numbered));
  }
  return { rows, counted: records.length };
}

async function finish(rows: readonly BrokerRecord[], dir: string): Promise<void> {
  const checkpoint = openSqliteCheckpoint(dir, METRICS, silentLog, 'bench');
  const nothing = async () => {};
  const finisher = new Finisher({
    broker: { partitions: async () => [], read: () => (async function* () {})() },
    claim: { append: nothing },
    query: { isAtRest: async () => true },
    definitions: METRICS,
    generation: 'g',
    sources: topicsOf(METRICS).flatMap((topic) =>
      PARTITIONS.map((partition) => ({ topic, partition, topicId: topic, nextOffset: 0, lag: 0 })),
    ),
    start: { epoch: 0, rows: { topicId: 't', next: PARTITIONS.map(() => 0), batch: 0 } },
    state: null,
    now: 0,
  });
  const emission = new Emission(finisher.unsent);
  let saved = 0;
  for (let i = 0, now = 0; i < rows.length; i += ROWS_AT_ONCE, now += 100) {
    await finisher.take({ records: rows.slice(i, i + ROWS_AT_ONCE) }, now);
    emission.take(now, false);
    if (i - saved < SAVED_EVERY_ROWS || !finisher.readyToSave()) continue;
    emission.take(now, true);
    checkpoint.save(finisher.takeChanges());
    await finisher.resume(now);
    saved = i;
  }
  await finisher.look(0);
  finisher.readyToSave();
  checkpoint.save(finisher.takeChanges());
  checkpoint.close();
}

/** Best of some rounds. */
export async function bench(): Promise<readonly BenchResult[]> {
  const { rows, counted } = sparkRows();
  let [finisherMs, parseMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    const dir = mkdtempSync(join(tmpdir(), 'instashop-bench-finisher-'));
    parseMs = Math.min(parseMs, await cpuMs(async () => parseAll(rows)));
    finisherMs = Math.min(finisherMs, await cpuMs(() => finish(rows, dir)));
    const events = readAccounting(dir)!.events.reduce((sum, { count }) => sum + count, 0);
    if (events !== counted) throw new Error(`${events} of ${counted} events were counted`);
    rmSync(dir, { recursive: true });
  }
  const perSecond = (ms: number): number => Math.round((rows.length / ms) * 1_000);
  return [
    {
      name: 'Spark engine, its half in TypeScript: rows to values and checkpoints',
      value: perSecond(finisherMs),
      unit: 'rows/s of processor time',
      peer: 'bare JSON.parse of the same rows',
      peerValue: perSecond(parseMs),
      ratio: parseMs / finisherMs,
      target: '>= 100,000/s',
    },
  ];
}

async function cpuMs(action: () => Promise<void>): Promise<number> {
  const start = process.threadCpuUsage();
  await action();
  const { user, system } = process.threadCpuUsage(start);
  return (user + system) / 1_000;
}

function parseAll(rows: readonly BrokerRecord[]): void {
  for (const { value } of rows) JSON.parse((value as Buffer).toString());
}

if (import.meta.main) console.table(await bench());
