// Drives the Spark engine's finisher over lines through a broker and a real checkpoint: a model of Spark writes rows
// in micro-batches, the finisher reads them in any order of partitions and crashes anywhere.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEAD_LETTER_HEADERS as TOLD } from '../../../src/contracts/dead-letter.ts';
import { type MetricValue, metricVersion } from '../../../src/contracts/metric-value.ts';
import { METRICS, REPAIR_HORIZON_MS } from '../../../src/contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC, TOPICS } from '../../../src/contracts/topics.ts';
import { silentLog } from '../../../src/lib/log.ts';
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { Checkpoint } from '../../../src/stages/metrics/checkpoint.ts';
import { Emission } from '../../../src/stages/metrics/emission.ts';
import type { Accounting } from '../../../src/stages/metrics/engine.ts';
import { sourcesOf, topicsOf } from '../../../src/stages/metrics/sources.ts';
import { Finisher, type FinisherMeta } from '../../../src/stages/metrics/spark/finisher.ts';
import { openSqliteCheckpoint, readAccounting } from '../../../src/stages/metrics/sqlite-checkpoint.ts';
import type { BrokerRecord, OutgoingRecord } from '../../../src/stores/broker/broker.ts';
import { type MemoryBroker, memoryBroker } from '../memory-broker.ts';
import type { Driven } from './drive.ts';
import { SparkModel } from './spark-model.ts';

export interface SparkDrive {
  readonly seed: string | number;
  /** Records of one micro-batch. */
  readonly batch?: number;
  /** Chance that the finisher crashes after something it did. */
  readonly crash?: number;
  /** Chance that a batch is written in part, and then again as a whole. */
  readonly rerun?: number;
  /** Chance that the query is seen at rest after a batch. */
  readonly rest?: number;
  /** true: events come as they are counted, as in a running system. false: all wait from the beginning. */
  readonly live?: boolean;
  /** Told what each checkpoint says, as soon as it is saved. */
  readonly onSave?: (accounting: Accounting) => void;
}

const GENERATION = 'g1';
const ROWS = SPARK_WINDOWS_TOPIC.name;

/** Every event is counted, every window closed in the end; `settled`: once all have gone past the horizon. */
export async function driveSpark(records: readonly BrokerRecord[], options: SparkDrive): Promise<Driven> {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-golden-spark-'));
  const system = new SparkSystem(dir, records, options);
  try {
    return await system.run();
  } finally {
    system.close();
    rmSync(dir, { recursive: true });
  }
}

class SparkSystem {
  readonly #dir: string;
  readonly #records: readonly BrokerRecord[];
  readonly #options: Required<SparkDrive>;
  readonly #random: Random;
  readonly #broker: MemoryBroker = memoryBroker([...Object.values(TOPICS), SPARK_WINDOWS_TOPIC]);
  readonly #values = new Map<string, MetricValue>();
  #checkpoint: Checkpoint | null = null;
  #finisher: Finisher | null = null;
  #next: number[] = [];
  /** What topic `spark_windows` holds, by partition. */
  #rows: readonly (readonly BrokerRecord[])[] = Array.from(
    { length: SPARK_WINDOWS_TOPIC.partitions },
    () => [],
  );
  #isAtRest = false;
  #now = 1_000_000;
  #saves = 0;

  constructor(dir: string, records: readonly BrokerRecord[], options: SparkDrive) {
    this.#dir = dir;
    this.#records = records;
    this.#options = { batch: 10, crash: 0, rerun: 0.2, rest: 0.5, live: false, onSave: () => {}, ...options };
    this.#random = seededRandom(`spark/${options.seed}`);
  }

  async run(): Promise<Driven> {
    const { batch, live } = this.#options;
    const model = new SparkModel(METRICS, GENERATION);
    const old = new SparkModel(METRICS, 'g0').batch(this.#records.slice(0, 20), 1);
    await this.#append(old.filter(() => this.#random.next() < 0.5));
    if (!live) await this.#broker.append(this.#records);
    for (let i = 0, batchMs = 1_000; i < this.#records.length; i += batch, batchMs += 500) {
      const some = this.#records.slice(i, i + batch);
      if (live) await this.#broker.append(some);
      const rows = model.batch(some, batchMs);
      this.#isAtRest = false;
      if (this.#random.next() < this.#options.rerun) {
        await this.#write(rows.slice(0, this.#random.int(0, rows.length)));
      }
      await this.#write(rows);
      this.#isAtRest = this.#random.next() < this.#options.rest;
      await this.#finish();
    }
    return await this.#end();
  }

  /** Nothing more comes; time passes. */
  async #end(): Promise<Driven> {
    this.#isAtRest = true;
    await this.#readAll();
    await this.#pass(90);
    const accounting = this.#accounting();
    const figures = this.#engine.figures(0);
    await this.#pass(REPAIR_HORIZON_MS / 1_000 + 3_600);
    const refused = this.#broker
      .records(TOPICS.deadLetters.name)
      .map(({ headers }): [string, string] => [
        [TOLD.topic, TOLD.partition, TOLD.offset].map((name) => headers[name]).join('/'),
        headers[TOLD.reason]!,
      ]);
    return {
      values: this.#values,
      accounting,
      settled: this.#accounting(),
      figures: { ...figures, saves: this.#saves },
      refused: new Map(refused),
    };
  }

  get #engine(): Finisher {
    return this.#finisher!;
  }

  #accounting(): Accounting {
    return readAccounting(this.#dir)!;
  }

  /** Spark writes; meanwhile the finisher reads what there is, or not. */
  async #write(rows: readonly OutgoingRecord[]): Promise<void> {
    for (let i = 0; i < rows.length; ) {
      const some = rows.slice(i, i + this.#random.int(1, rows.length));
      i += some.length;
      await this.#append(some);
      if (this.#random.next() < 0.5) await this.#finish();
    }
  }

  async #append(rows: readonly OutgoingRecord[]): Promise<void> {
    await this.#broker.append(rows);
    const written = this.#broker.records(ROWS);
    this.#rows = this.#rows.map((_, partition) => written.filter((row) => row.partition === partition));
  }

  async #readAll(): Promise<void> {
    do await this.#finish();
    while (this.#behind().length > 0 || this.#finisher === null);
  }

  async #pass(seconds: number): Promise<void> {
    for (let second = 0; second < seconds; second += 5) {
      this.#now += 5_000;
      await this.#engine.look(this.#now);
      this.#engine.pass(this.#now);
    }
    this.#emit();
    // One save may only be of what came before the rows kept back for it.
    while (await this.#save()) await this.#engine.look(this.#now);
  }

  /** The finisher does a few things; it may crash after any of them. */
  async #finish(): Promise<void> {
    for (let steps = this.#random.int(1, 6); steps > 0; steps--) {
      if (this.#finisher === null) await this.#start();
      await this.#step();
      if (this.#random.next() < this.#options.crash) this.close();
    }
  }

  async #step(): Promise<void> {
    this.#now += 50;
    const what = this.#random.next();
    if (what < 0.6) return this.#read();
    if (what < 0.7) return this.#emit();
    if (what < 0.8) return this.#engine.look(this.#now);
    if (what < 0.9) return this.#engine.pass(this.#now);
    await this.#save();
  }

  #behind() {
    return this.#next.flatMap((from, partition) => {
      const left = this.#rows[partition]!.slice(from);
      return left.length === 0 ? [] : [{ partition, left }];
    });
  }

  /** Some rows of one partition or of all. */
  async #read(): Promise<void> {
    const behind = this.#behind();
    if (behind.length === 0) return;
    const from = this.#random.next() < 0.5 ? [this.#random.pick(behind)] : behind;
    const records = from.flatMap(({ left }) => left.slice(0, this.#random.int(1, 40)));
    for (const { partition, offset } of records) this.#next[partition] = offset + 1;
    await this.#engine.take({ records }, this.#now);
  }

  #emit(): void {
    for (const { key, value } of new Emission(this.#engine.unsent).take(0, true)) {
      const written = JSON.parse(Buffer.from(value).toString()) as MetricValue;
      const before = this.#values.get(key!);
      if (before === undefined || metricVersion(written) > metricVersion(before))
        this.#values.set(key!, written);
    }
  }

  async #save(): Promise<boolean> {
    if (!this.#engine.readyToSave()) return false;
    this.#emit();
    this.#checkpoint!.save(this.#engine.takeChanges());
    this.#saves++;
    this.#options.onSave(this.#accounting());
    await this.#engine.resume(this.#now);
    return true;
  }

  async #start(): Promise<void> {
    const checkpoint = openSqliteCheckpoint(this.#dir, METRICS, silentLog, 'spark/1');
    const state = checkpoint.load();
    const meta = state?.meta as unknown as FinisherMeta | undefined;
    const rows = meta?.rows ?? { topicId: ROWS, next: [0, 0, 0, 0, 0, 0], batch: 0 };
    const topics = topicsOf(METRICS);
    const sources = await sourcesOf(this.#broker, topics, state);
    this.#checkpoint = checkpoint;
    this.#next = [...rows.next];
    this.#finisher = new Finisher({
      broker: this.#broker,
      claim: { append: (records) => this.#broker.append(records) },
      query: { isAtRest: async () => this.#isAtRest },
      definitions: METRICS,
      generation: GENERATION,
      sources,
      start: { epoch: 0, rows },
      state,
      now: this.#now,
    });
  }

  close(): void {
    this.#finisher = null;
    this.#checkpoint?.close();
    this.#checkpoint = null;
  }
}
