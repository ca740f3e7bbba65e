// The half of the Spark engine that is not Spark: rows of topic `spark_windows` in, windows changed.
import { type MetricDefinition, REPAIR_HORIZON_MS } from '../../../contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC } from '../../../contracts/topics.ts';
import {
  type Broker,
  type BrokerRecord,
  type Claim,
  type ReadBatch,
  type TopicPartition,
  topicPartition,
} from '../../../stores/broker/broker.ts';
import type { Cell } from '../aggregates.ts';
import type { CheckpointChanges, CheckpointState } from '../checkpoint.ts';
import { compile, type Program } from '../compile.ts';
import { type SourceStart, topicsOf, waiting } from '../sources.ts';
import { Watermark, type WatermarkState } from '../watermark.ts';
import type { RunningEngine } from '../work.ts';
import { Books } from './books.ts';
import { Cut } from './cut.ts';
import type { WindowsQuery } from './query.ts';
import { refusedLetters } from './refused.ts';
import { BOOKKEEPING, parseSparkRow, type SparkRow } from './row.ts';
import { SparkWindows } from './spark-windows.ts';

/** How often the ends of the event topics are looked at. */
const LAG_INTERVAL_MS = 1_000;
/** Records read again and put aside at a time. */
const REFUSED_AT_ONCE = 20;
/** Refused records remembered, so that a batch that is run again puts none aside twice. */
const REFUSED_KEPT_MAX = 10_000;

/** Where the rows of a generation are read on, as saved. */
export interface RowsPlace {
  readonly topicId: string;
  /** Next offset by partition. */
  readonly next: readonly number[];
  /** The last batch that was read whole. */
  readonly batch: number;
}

export interface FinisherMeta {
  /** When counting began, epoch ms: the part of the generation that makes a rebuilt one another. */
  readonly epoch: number;
  readonly rows: RowsPlace;
  readonly watermark: WatermarkState;
  readonly figures: { readonly late: number; readonly revisions: number; readonly overflow: number };
}

export interface FinisherOptions {
  readonly broker: Pick<Broker, 'read' | 'partitions'>;
  readonly claim: Pick<Claim, 'append'>;
  readonly query: Pick<WindowsQuery, 'isAtRest'>;
  readonly definitions: readonly MetricDefinition[];
  readonly generation: string;
  /** Every partition of the event topics. */
  readonly sources: readonly SourceStart[];
  readonly start: Pick<FinisherMeta, 'epoch' | 'rows'>;
  readonly state: CheckpointState | null;
  readonly now: number;
}

export class Finisher implements RunningEngine {
  readonly #options: FinisherOptions;
  readonly #program: Program;
  readonly #prefix: string;
  readonly #cut: Cut;
  readonly #books: Books;
  readonly #windows: SparkWindows;
  readonly #watermark: Watermark;
  /** Newest event times of batches that are not read whole yet. */
  #times: { readonly batch: number; readonly source: TopicPartition; readonly newest: number }[] = [];
  readonly #ends = new Map<TopicPartition, number>();
  #lagsAt = Number.NEGATIVE_INFINITY;
  readonly #refused = new Set<string>();
  #late: number;
  #isChanged = false;
  /** Called when a look is of use at once: a cut is aimed at. */
  wake: () => void = () => {};
  /** As of the last cut: in between, what windows have and what was read do not belong together. */
  #cutFigures: Readonly<Record<string, number>>;
  deadLetters = 0;

  constructor(options: FinisherOptions) {
    const { definitions, generation, sources, start, state, now } = options;
    const meta = state?.meta as Partial<FinisherMeta> | undefined;
    this.#options = options;
    this.#program = compile(definitions);
    this.#prefix = `${generation}|`;
    this.#cut = new Cut(start.rows.next, start.rows.batch);
    const byName = new Map(this.#program.definitions.map((definition) => [definition.name, definition]));
    this.#books = new Books(byName, this.#program.windowMs, sources, state);
    this.#windows = new SparkWindows(this.#program, definitions, this.#books.ledgers);
    this.#watermark = new Watermark(now, meta?.watermark);
    this.#late = meta?.figures?.late ?? 0;
    this.#windows.revisions = meta?.figures?.revisions ?? 0;
    this.#windows.overflow = meta?.figures?.overflow ?? 0;
    for (const { topic, partition, nextOffset, lag } of sources) {
      this.#ends.set(topicPartition(topic, partition), nextOffset + lag);
    }
    for (const { source, newest } of state?.offsets ?? []) {
      if (newest !== null) this.#watermark.restore(source, newest);
    }
    this.#windows.restore(state?.cells ?? [], this.#watermark.value);
    this.#cutFigures = this.#fates();
  }

  get unsent(): Cell[][] {
    return this.#windows.changes.unsent;
  }

  /** Where each partition of the rows is read from. */
  get place(): readonly number[] {
    return this.#options.start.rows.next;
  }

  async take({ records }: Pick<ReadBatch, 'records'>, now: number): Promise<void> {
    const refused: SparkRow[] = [];
    for (const record of records) {
      const row = this.#rowOf(record);
      if (row === null) this.#cut.pass(record.partition, record.offset);
      else if (this.#cut.offer(record.partition, record.offset, row)) this.#apply(row, refused);
    }
    this.#cut.settle();
    // A cut that takes so long is not to be had now.
    if (this.#cut.isOverfull) for (const row of this.#cut.release()) this.#apply(row, refused);
    this.pass(now);
    await this.#putAside(refused);
  }

  async resume(now: number): Promise<void> {
    const refused: SparkRow[] = [];
    for (const row of this.#cut.release()) this.#apply(row, refused);
    this.pass(now);
    await this.#putAside(refused);
  }

  /** null: not a row of this generation. */
  #rowOf({ key, value }: BrokerRecord): SparkRow | null {
    if (key === null || !key.startsWith(this.#prefix)) return null;
    const row = parseSparkRow(value);
    return row.generation === this.#options.generation ? row : null;
  }

  #apply(row: SparkRow, refused: SparkRow[]): void {
    this.#isChanged = true;
    const { definition, windowEnd } = row;
    const watermark = this.#watermark.value;
    if (definition === BOOKKEEPING.source) {
      const source = this.#books.source(row);
      const newest = row.values[1] ?? null;
      if (newest !== null) this.#times.push({ batch: row.batchMs, source, newest });
    } else if (definition === BOOKKEEPING.refused) refused.push(row);
    else if (definition.startsWith(BOOKKEEPING.ledger)) this.#books.ledger(row);
    // Settled: what comes after that is too late, since nothing takes it from what was read.
    else if (windowEnd <= watermark - REPAIR_HORIZON_MS) return;
    else if (definition === BOOKKEEPING.events) {
      const more = this.#books.events(row);
      if (windowEnd <= watermark) this.#late += more;
    } else this.#windows.take(row, watermark);
  }

  async #putAside(rows: readonly SparkRow[]): Promise<void> {
    const fresh = rows.filter(({ key: [topic, partition, offset] }) => {
      const id = `${topic}/${partition}/${offset}`;
      if (this.#refused.has(id)) return false;
      if (this.#refused.size === REFUSED_KEPT_MAX) this.#refused.delete(this.#refused.values().next().value!);
      this.#refused.add(id);
      return true;
    });
    for (let i = 0; i < fresh.length; i += REFUSED_AT_ONCE) {
      const letters = await refusedLetters(this.#options.broker, fresh.slice(i, i + REFUSED_AT_ONCE));
      await this.#options.claim.append(letters);
      this.deadLetters += letters.length;
    }
  }

  /** Looks at the clock. Event times count once their batch is read whole, else its own windows would close before. */
  pass(now: number): void {
    const { whole } = this.#cut;
    this.#times = this.#times.filter(({ batch, source, newest }) => {
      if (batch > whole) return true;
      this.#watermark.observe(this.#watermark.source(source), newest);
      return false;
    });
    for (const name of this.#ends.keys()) this.#watermark.source(name).lag = this.#lagOf(name);
    if (!this.#watermark.advance(now)) return;
    this.#windows.changes.pass(this.#watermark.value);
    this.#books.evict(this.#watermark.value - REPAIR_HORIZON_MS);
  }

  #lagOf(name: TopicPartition): number {
    return Math.max(this.#ends.get(name)! - (this.#books.next.get(name) ?? 0), 0);
  }

  /**
   * Looks at the ends of the topics, where they are needed. Beside the turns of a run; what it learns counts with the
   * next `take` or `pass`.
   */
  async look(now: number): Promise<void> {
    const isLagWanted = now - this.#lagsAt >= LAG_INTERVAL_MS;
    await Promise.all([this.#cut.isLookWanted && this.#lookAtRows(), isLagWanted && this.#lookAtLags(now)]);
  }

  async #lookAtRows(): Promise<void> {
    const { newest } = this.#cut;
    // A row of the newest batch was read, so those before it are done; it is, too, once the query rests after that.
    const through = (await this.#options.query.isAtRest()) ? newest : newest - 1;
    if (through <= this.#cut.whole) return;
    const states = await this.#options.broker.partitions(SPARK_WINDOWS_TOPIC.name);
    this.#cut.look({ ends: states.map((state) => waiting(state, 0)), through });
  }

  async #lookAtLags(now: number): Promise<void> {
    this.#lagsAt = now;
    const { broker, definitions } = this.#options;
    const states = await Promise.all(topicsOf(definitions).map((topic) => broker.partitions(topic)));
    for (const state of states.flat()) {
      const name = topicPartition(state.topic, state.partition);
      if (this.#ends.has(name)) this.#ends.set(name, waiting(state, 0));
    }
  }

  readyToSave(): boolean {
    if (!this.#isChanged && !this.#windows.changes.any) return false;
    this.#cut.aim();
    if (!this.#cut.isReached) this.wake();
    return this.#cut.isReached;
  }

  takeChanges(): CheckpointChanges {
    const { epoch, rows } = this.#options.start;
    const meta: FinisherMeta = {
      epoch,
      rows: { topicId: rows.topicId, ...this.#cut.place },
      watermark: this.#watermark.export(),
      figures: { late: this.#late, revisions: this.#windows.revisions, overflow: this.#windows.overflow },
    };
    const offsets = this.#options.sources.map(({ topic, partition, topicId }) => {
      const source = topicPartition(topic, partition);
      const { newest } = this.#watermark.source(source);
      const nextOffset = this.#books.next.get(source)!;
      return { source, topicId, nextOffset, newest: Number.isFinite(newest) ? newest : null };
    });
    this.#isChanged = false;
    this.#cutFigures = this.#fates();
    return {
      offsets,
      meta: { ...meta, ...this.#books.takeMeta() },
      ...this.#windows.changes.take(),
      ledgers: this.#books.ledgers.takeChanged(),
      tallies: this.#books.tallies.takeChanged(),
    };
  }

  /** Newest event time seen; null before the first. */
  get newestEventTime(): number | null {
    const waiting = this.#times.reduce((most, { newest }) => Math.max(most, newest), this.#watermark.newest);
    return Number.isFinite(waiting) ? waiting : null;
  }

  /** Events that are not counted yet. */
  get lag(): number {
    let sum = 0;
    for (const name of this.#ends.keys()) sum += this.#lagOf(name);
    return sum;
  }

  /** Events counted since the start. */
  get processed(): number {
    return this.#books.records;
  }

  #fates(): Readonly<Record<'too_late' | 'history' | 'quarantined' | 'refused', number>> {
    const { tallies } = this.#books;
    return {
      too_late: tallies.total('too_late'),
      history: tallies.total('history'),
      quarantined: tallies.total('quarantined'),
      refused: tallies.total('refused'),
    };
  }

  /** Figures for the stage's health, as the embedded engine's. */
  figures(now: number): Record<string, number> {
    const { value } = this.#watermark;
    return {
      late: this.#late,
      revisions: this.#windows.revisions,
      ...this.#cutFigures,
      repeated: 0,
      group_overflow: this.#windows.overflow,
      watermark_lag_ms: Number.isFinite(value) ? now - value : 0,
      ...this.#windows.figures(),
    };
  }
}
