import { hash } from 'node:crypto';
import { METRICS, type MetricDefinition } from '../../../contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC } from '../../../contracts/topics.ts';
import { healthOf, type Stage, stageCounts } from '../../../lib/stage.ts';
import {
  type Claim,
  type PartitionState,
  type TopicPartition,
  topicPartition,
} from '../../../stores/broker/broker.ts';
import type { Checkpoint, CheckpointState } from '../checkpoint.ts';
import { type MetricsEngineOptions, STAGE_NAME } from '../engine.ts';
import { claimMetrics, endingOf } from '../ownership.ts';
import { sourcesOf, topicsOf } from '../sources.ts';
import { openSqliteCheckpoint } from '../sqlite-checkpoint.ts';
import { BATCH_BOUNDS, Work } from '../work.ts';
import { Finisher, type FinisherMeta } from './finisher.ts';
import type { WindowsQuery } from './query.ts';

const ROWS = SPARK_WINDOWS_TOPIC.name;
/** How often the topics' ends are looked at, at most, when nobody asks for it. */
const LOOK_INTERVAL_MS = 250;
/** What is written to see whether this process still owns the metrics: to every engine a row of another generation. */
const OWNERSHIP = { topic: ROWS, partition: 0, key: '_owner', value: Buffer.from('{}'), headers: {} };

export interface SparkEngineOptions extends MetricsEngineOptions {
  readonly query: WindowsQuery;
  readonly checkpointIntervalMs?: number;
}

/**
 * The Spark metrics engine as a stage: see MetricsEngine in ../engine.ts. Spark counts (`query`, topic spark_windows),
 * this closes, revises and publishes. Its checkpoint names the generation that Spark counts for it: without the
 * checkpoint, or where its rows are no longer in the topic, a new generation counts from the start of the log.
 */
export function sparkMetricsStage(options: SparkEngineOptions): Stage {
  const { broker, clock, log, dir, query, definitions = METRICS } = options;
  const counts = stageCounts();
  let current: Finisher | null = null;
  /** Of the runs before this one. */
  let [processed, deadLetters] = [0, 0];

  const run = async (signal: AbortSignal) => {
    const claim = await claimMetrics(broker, [topicPartition(ROWS, OWNERSHIP.partition)]);
    const checkpoint = openSqliteCheckpoint(dir, definitions, log, `spark/${query.planVersion}`);
    try {
      const { finisher, generation } = await begin(claim, checkpoint);
      const stop = new AbortController();
      const until = AbortSignal.any([signal, stop.signal]);
      const work = new Work({ ...options, claim }, finisher, checkpoint, until);
      const from = new Map(
        finisher.place.map((offset, partition): [TopicPartition, number] => [
          topicPartition(ROWS, partition),
          offset,
        ]),
      );
      const reading = { topics: [ROWS], group: STAGE_NAME, from, ...BATCH_BOUNDS };
      const mayStart = () => claim.append([OWNERSHIP]);
      const parts = [
        work.run((end) => broker.read({ ...reading, signal: end })),
        query.run({ generation, mayStart, signal: until }),
        lookOut(finisher, work, until),
      ];
      await allOrStop(parts, stop);
    } catch (error) {
      throw endingOf(error);
    } finally {
      checkpoint.close();
    }
  };

  const begin = async (claim: Claim, checkpoint: Checkpoint) => {
    const partitions = await broker.partitions(ROWS);
    let state = checkpoint.load();
    if (state !== null && !canGoOn(state, partitions)) {
      log.warn('the rows that Spark wrote for this checkpoint are gone: all windows are computed anew');
      checkpoint.clear();
      state = null;
    }
    const now = clock.now();
    const start = startOf(state, partitions, now);
    const generation = generationOf(definitions, query.planVersion, start.epoch);
    const sources = await sourcesOf(broker, topicsOf(definitions), state);
    const waiting = sources.reduce((sum, { lag }) => sum + lag, 0);
    log.info(state === null ? 'started at the start of the log' : 'started from the checkpoint', {
      generation,
      waiting,
    });
    const finisher = new Finisher({
      broker,
      claim,
      query,
      definitions,
      generation,
      sources,
      start,
      state,
      now,
    });
    // Before the query begins: after a crash it goes on with this generation.
    if (state === null) checkpoint.save(finisher.takeChanges());
    processed += current?.processed ?? 0;
    deadLetters += current?.deadLetters ?? 0;
    current = finisher;
    return { finisher, generation };
  };

  const health = () => {
    if (current !== null) {
      counts.lag = current.lag;
      counts.newestAt = current.newestEventTime;
      counts.processed = processed + current.processed;
      counts.deadLetters = deadLetters + current.deadLetters;
      Object.assign(counts.figures, current.figures(clock.now()), query.figures());
    }
    return healthOf(STAGE_NAME, clock, counts);
  };

  const lookOut = async (finisher: Finisher, work: Work, signal: AbortSignal) => {
    while (!signal.aborted) {
      await finisher.look(clock.now());
      await work.pass();
      const woken = new AbortController();
      finisher.wake = () => woken.abort();
      await clock.sleep(LOOK_INTERVAL_MS, AbortSignal.any([signal, woken.signal]));
    }
  };

  return { name: STAGE_NAME, run, health };
}

/** Waits for all; the first that fails stops the others, and is what this rejects with. */
async function allOrStop(parts: readonly Promise<void>[], stop: AbortController): Promise<void> {
  const faults: unknown[] = [];
  const ended = parts.map((part) =>
    part.catch((error: unknown) => {
      faults.push(error);
      stop.abort();
    }),
  );
  await Promise.all(ended);
  if (faults.length > 0) throw faults[0];
}

/** The generation in which rows are counted; rows of two generations are never mixed. */
const generationOf = (definitions: readonly MetricDefinition[], planVersion: number, epoch: number): string =>
  hash('sha256', JSON.stringify([definitions, planVersion, epoch])).slice(0, 16);

type Start = Pick<FinisherMeta, 'epoch' | 'rows'>;
const metaOf = (state: CheckpointState) => state.meta as unknown as FinisherMeta;

/** Whether all rows that were written since the checkpoint are still in the topic, or newer ones of their keys. */
function canGoOn(state: CheckpointState, partitions: readonly PartitionState[]): boolean {
  const { topicId, next } = metaOf(state).rows;
  return (
    next.length === partitions.length &&
    partitions.every(({ partition, topicId: id, start, end }) => {
      const offset = next[partition]!;
      return id === topicId && offset >= start && offset <= end;
    })
  );
}

/** From the checkpoint on, or with a new generation whose rows come after all that is in the topic. */
function startOf(state: CheckpointState | null, partitions: readonly PartitionState[], now: number): Start {
  if (state !== null) {
    const { epoch, rows } = metaOf(state);
    return { epoch, rows };
  }
  const next = partitions.map(({ end }) => end);
  return { epoch: now, rows: { topicId: partitions[0]?.topicId ?? '', next, batch: 0 } };
}
