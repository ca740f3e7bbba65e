import { METRICS } from '../../../contracts/metrics.ts';
import { EVENT_TOPICS, TOPICS } from '../../../contracts/topics.ts';
import { UserError } from '../../../lib/errors.ts';
import { healthOf, type Stage, stageCounts } from '../../../lib/stage.ts';
import {
  type Claim,
  FencedError,
  LOG_MADE_ANEW_REMEDY,
  type OutgoingRecord,
  type PartitionState,
  type ReadBatch,
  type TopicPartition,
  topicPartition,
  totalLag,
} from '../../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../../stores/broker/dead-letters.ts';
import type { Checkpoint, CheckpointState } from '../checkpoint.ts';
import { Emission } from '../emission.ts';
import { type MetricsEngineOptions, STAGE_NAME } from '../engine.ts';
import { openSqliteCheckpoint } from '../sqlite-checkpoint.ts';
import type { SourceStart } from './intake.ts';
import { WindowEngine } from './window-engine.ts';

/** Small enough that the other stages of the process wait only a few milliseconds for a batch. */
const RECORDS_MAX = 500;
const BYTES_MAX = 2 << 20;
/** Values written with one append. */
const EMITTED_MAX = 1_000;
const EMIT_INTERVAL_MS = 20;
/** How often time passes when no event comes. */
const PASS_INTERVAL_MS = 250;
const CHECKPOINT_INTERVAL_MS = 2_000;

const OWNER = 'instashop-metrics';
const CLAIMED = [TOPICS.metrics, TOPICS.deadLetters].flatMap(({ name, partitions }) =>
  Array.from({ length: partitions }, (_, partition) => topicPartition(name, partition)),
);

const takenOver = (error: FencedError): UserError =>
  new UserError(`${error.message}: it computes the metrics now`, 'Run stage metrics in one process only.');

export interface EmbeddedEngineOptions extends MetricsEngineOptions {
  readonly checkpointIntervalMs?: number;
}

/** The embedded metrics engine as a stage: see MetricsEngine in ../engine.ts. */
export function metricsStage(options: EmbeddedEngineOptions): Stage {
  const { broker, clock, log, dir, definitions = METRICS } = options;
  const counts = stageCounts();
  let current: WindowEngine | null = null;

  const run = async (signal: AbortSignal) => {
    const claim = await broker.claim(OWNER, CLAIMED);
    const checkpoint = openSqliteCheckpoint(dir, definitions, log);
    try {
      const state = checkpoint.load();
      const read = new Set(definitions.flatMap((definition) => definition.topics));
      const topics = EVENT_TOPICS.map((topic) => topic.name).filter((topic) => read.has(topic));
      const partitions = await Promise.all(topics.map((topic) => broker.partitions(topic)));
      const sources = startOf(partitions.flat(), state);
      log.info(state === null ? 'started at the start of the log' : 'started from the checkpoint', {
        waiting: sources.reduce((sum, { lag }) => sum + lag, 0),
      });
      const engine = new WindowEngine({ definitions, sources, state, now: clock.now() });
      current = engine;
      const from = new Map(sources.map((source) => [nameOf(source), source.nextOffset]));
      const work = new Work({ ...options, claim }, engine, checkpoint, counts, signal);
      const reading = { topics, group: STAGE_NAME, from, recordsMax: RECORDS_MAX, bytesMax: BYTES_MAX };
      await work.run((until) => broker.read({ ...reading, signal: until }));
    } catch (error) {
      throw error instanceof FencedError ? takenOver(error) : error;
    } finally {
      checkpoint.close();
    }
  };

  const health = () => {
    if (current !== null) {
      Object.assign(counts.figures, current.figures(clock.now()));
      const newest = current.newestEventTime;
      counts.newestAt = Number.isFinite(newest) ? newest : null;
    }
    return healthOf(STAGE_NAME, clock, counts);
  };
  return { name: STAGE_NAME, run, health };
}

const nameOf = ({ topic, partition }: SourceStart): TopicPartition => topicPartition(topic, partition);

/** Where each partition is read from: the checkpoint's offset, or its oldest record (never the group's offset). */
function startOf(
  partitions: readonly PartitionState[],
  state: CheckpointState | null,
): readonly SourceStart[] {
  const saved = new Map(state?.offsets.map((offset) => [offset.source, offset]));
  return partitions.map(({ topic, partition, topicId, start, end }) => {
    const offset = saved.get(topicPartition(topic, partition));
    if (offset !== undefined && offset.topicId !== topicId) {
      throw new UserError(
        `topic ${topic} was made anew: the metrics checkpoint belongs to another one`,
        LOG_MADE_ANEW_REMEDY,
      );
    }
    const nextOffset = offset?.nextOffset ?? start;
    return { topic, partition, topicId, nextOffset, lag: Math.max(end - nextOffset, 0) };
  });
}

interface WorkOptions extends EmbeddedEngineOptions {
  readonly claim: Claim;
}

/**
 * One run. Batches, the pace of emission and passing time take turns (`#inTurn`), so that a checkpoint is only ever
 * taken of a state whose values are all in the log.
 */
class Work {
  readonly #options: WorkOptions;
  readonly #engine: WindowEngine;
  readonly #checkpoint: Checkpoint;
  readonly #counts: ReturnType<typeof stageCounts>;
  readonly #emission: Emission;
  readonly #lag = new Map<TopicPartition, number>();
  /** Aborted by the caller, or by a fault. */
  readonly #stop = new AbortController();
  readonly #emitIntervalMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #fault: unknown = null;
  #flushing: Promise<void> = Promise.resolve();
  #flushScheduled = false;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #savedAt: number;
  #unacknowledged: ReadBatch | null = null;

  constructor(
    options: WorkOptions,
    engine: WindowEngine,
    checkpoint: Checkpoint,
    counts: ReturnType<typeof stageCounts>,
    signal: AbortSignal,
  ) {
    this.#options = options;
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#counts = counts;
    this.#emission = new Emission(engine.unsent);
    this.#emitIntervalMs = options.emitIntervalMs ?? EMIT_INTERVAL_MS;
    this.#savedAt = options.clock.now();
    if (signal.aborted) this.#stop.abort();
    else signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
  }

  async run(read: (until: AbortSignal) => AsyncIterable<ReadBatch>): Promise<void> {
    const passing = this.#passTime();
    passing.catch(() => {});
    try {
      for await (const batch of read(this.#stop.signal)) await this.#inTurn(() => this.#take(batch));
    } finally {
      this.#stop.abort();
      await Promise.allSettled([passing, this.#flushing]);
      await this.#turn;
    }
    if (this.#fault !== null) throw this.#fault;
    await this.#save();
  }

  /** After a fault nothing runs any more: values may have been taken and not written, so no state may be saved. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(() => {
      if (this.#fault !== null) throw this.#fault;
      return action();
    });
    this.#turn = result.catch((error: unknown) => {
      this.#fault ??= error;
      this.#stop.abort();
    });
    return result;
  }

  async #take(batch: ReadBatch): Promise<void> {
    const refusals = this.#engine.apply(batch.records, batch.lag, this.#options.clock.now());
    const letters = refusals.map(({ record, reason, message }) =>
      deadLetterRecord(record, STAGE_NAME, reason, message),
    );
    if (letters.length > 0) await this.#options.claim.append(letters);
    this.#unacknowledged = batch;
    for (const [name, lag] of batch.lag) this.#lag.set(name, lag);
    this.#counts.lag = totalLag({ lag: this.#lag });
    this.#counts.processed += batch.records.length;
    this.#counts.deadLetters += letters.length;
    await this.#flushDue();
    await this.#saveDue();
  }

  async #passTime(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      await clock.sleep(PASS_INTERVAL_MS, this.#stop.signal);
      await this.#inTurn(async () => {
        this.#engine.pass(clock.now());
        await this.#flushDue();
        await this.#saveDue();
      });
    }
  }

  /** Writes what is due; what changed again within the interval waits for its end. */
  async #flushDue(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#flushedAt + this.#emitIntervalMs - clock.now();
    if (waitMs <= 0) await this.#flush(false);
    if (!this.#emission.pending || this.#flushScheduled || this.#stop.signal.aborted) return;
    this.#flushScheduled = true;
    const later = async () => {
      await clock.sleep(waitMs > 0 ? waitMs : this.#emitIntervalMs, this.#stop.signal);
      await this.#inTurn(() => {
        this.#flushScheduled = false;
        return this.#flushDue();
      });
    };
    this.#flushing = later();
    // Its fault is kept by #inTurn.
    this.#flushing.catch(() => {});
  }

  async #flush(all: boolean): Promise<void> {
    this.#flushedAt = this.#options.clock.now();
    const due: readonly OutgoingRecord[] = this.#emission.take(this.#flushedAt, all);
    for (let i = 0; i < due.length; i += EMITTED_MAX) {
      await this.#options.claim.append(due.slice(i, i + EMITTED_MAX));
    }
  }

  async #saveDue(): Promise<void> {
    const everyMs = this.#options.checkpointIntervalMs ?? CHECKPOINT_INTERVAL_MS;
    if (this.#engine.changed && this.#options.clock.now() - this.#savedAt >= everyMs) await this.#save();
  }

  /** Values first: what the checkpoint holds is never missing in topic `metrics`. */
  async #save(): Promise<void> {
    await this.#flush(true);
    this.#checkpoint.save(this.#engine.takeChanges());
    this.#savedAt = this.#options.clock.now();
    await this.#unacknowledged?.ack();
    this.#unacknowledged = null;
  }
}
