// The streaming query over Spark Connect: started, watched, started again from its checkpoint, and given back.
import type { MetricDefinition } from '../../../contracts/metrics.ts';
import type { Clock } from '../../../lib/clock.ts';
import { UserError } from '../../../lib/errors.ts';
import { eventId } from '../../../lib/ids.ts';
import type { Log } from '../../../lib/log.ts';
import { isRetryable } from '../../../lib/retry.ts';
import {
  type QueryFailure,
  type QueryProgress,
  SparkConnectError,
  SparkSession,
  type StreamingQuery,
} from './connect/connect.ts';
import { PLAN_SETTINGS, PLAN_VERSION, sparkPlan } from './plan.ts';
import type { QueryRun, WindowsQuery } from './query.ts';

export interface SparkQueryOptions {
  /** Of Spark Connect: http://host:port. */
  readonly url: string;
  readonly token?: string | undefined;
  readonly definitions: readonly MetricDefinition[];
  /** How Spark's executors reach Kafka: `kafka.bootstrap.servers` and the like. No secret: plans are shown. */
  readonly kafka: Readonly<Record<string, string>>;
  /** Name of the topic the rows go to. */
  readonly target: string;
  /** Folder (a path or URL that driver and executors reach) for the checkpoints, one a generation. */
  readonly checkpointRoot: string;
  /** Tasks that aggregate, and pieces of the state. Fixed for the life of a checkpoint. */
  readonly shufflePartitions: number;
  readonly clock: Clock;
  readonly log: Log;
}

const USER = 'instashop-metrics';
const QUERY = 'spark_windows';
const GROUP = 'instashop-spark';
/** Records a batch takes at most; the rest waits for the next one. */
const BATCH_RECORDS_MAX = 100_000;
/** The query is asked this often how far it is; when it fails, that is told at once. */
const POLL_MS = 500;
const BACK_OFF_MS = 500;
const BACK_OFF_MS_MAX = 10_000;
/** When we end, the query may finish what it has under way for so long. */
const STOP_MS = 10_000;
/**
 * What Spark says of a query between two batches: it has nothing to run again either, for that would come first, under
 * other names.
 */
const AT_REST = /^(Waiting for (data to arrive|next trigger)|Getting offsets from )/;
/** Session ids that one server may have used up before another one is asked for: each stands for an hour's silence. */
const SESSIONS_MAX = 100;

/** A WindowsQuery at a Spark Connect server. Nothing is connected before it runs. */
export function sparkQuery(options: SparkQueryOptions): WindowsQuery {
  return new SparkQuery(options);
}

class SparkQuery implements WindowsQuery {
  readonly planVersion = PLAN_VERSION;
  readonly #options: SparkQueryOptions;
  #query: StreamingQuery | null = null;
  #progress: QueryProgress | null = null;
  #restarts = 0;
  /** Sessions of ours that the server has let expire. */
  #expired = 0;

  constructor(options: SparkQueryOptions) {
    this.#options = options;
  }

  async run(run: QueryRun): Promise<void> {
    const { clock, log } = this.#options;
    for (let attempt = 0; !run.signal.aborted; attempt++) {
      try {
        await this.#attempt(run, () => {
          attempt = 0;
        });
      } catch (error) {
        if (run.signal.aborted) return;
        this.#progress = null;
        if (!isRetryable(error)) throw error;
        const waitMs = Math.min(BACK_OFF_MS * 2 ** attempt, BACK_OFF_MS_MAX);
        log.warn('the Spark query is started again', { error, waitMs });
        this.#restarts += 1;
        await clock.sleep(waitMs, run.signal);
      }
    }
  }

  async isAtRest(): Promise<boolean> {
    const status = await this.#query?.status().catch(() => null);
    return status?.isActive === true && AT_REST.test(status.message);
  }

  figures(): Readonly<Record<string, number>> {
    const progress = this.#progress;
    const state = progress?.state[0];
    const source = progress?.sources[0];
    return {
      spark_restarts: this.#restarts,
      spark_batch: progress?.batchId ?? 0,
      spark_batch_ms: progress?.durationMs['triggerExecution'] ?? 0,
      spark_batch_records: progress?.numInputRows ?? 0,
      spark_records_per_second: Math.round(source?.processedRowsPerSecond ?? 0),
      spark_records_waiting: Math.round(Number(source?.metrics['maxOffsetsBehindLatest'] ?? 0) || 0),
      spark_state_rows: state?.numRowsTotal ?? 0,
      spark_state_bytes: state?.memoryUsedBytes ?? 0,
    };
  }

  /** Until the signal aborts; rejects when the query or its server fails. `moved`: it has finished a batch. */
  async #attempt(run: QueryRun, moved: () => void): Promise<void> {
    const session = await this.#session();
    const { signal } = run;
    let query: StreamingQuery | null = null;
    try {
      query = await this.#take(session, run);
      this.#query = query;
      while (!signal.aborted) {
        const ended = await untilAborted(query.awaitTermination(POLL_MS, { signal }), signal);
        if (ended) throw stopped(await query.exception());
        const progress = signal.aborted ? null : await query.lastProgress({ signal });
        if (progress === null || progress.batchId === this.#progress?.batchId) continue;
        this.#progress = progress;
        moved();
      }
    } catch (error) {
      if (!signal.aborted) throw await this.#fault(error, query);
    } finally {
      this.#query = null;
      if (signal.aborted) await this.#giveBack(session, run);
      else await session.close();
    }
  }

  /** Our session: the server keeps it, and what runs in it, also while nobody of us is there. */
  async #session(): Promise<SparkSession> {
    const { url, token, clock, log } = this.#options;
    for (;;) {
      try {
        return await SparkSession.connect({
          url,
          token,
          userId: USER,
          sessionId: eventId(`spark session ${USER} ${this.#expired}`),
          clock,
          onFault: (error) => log.warn('Spark Connect did not answer', { error }),
        });
      } catch (error) {
        const isExpired = error instanceof SparkConnectError && error.sessionLost;
        if (!isExpired || ++this.#expired > SESSIONS_MAX) throw error;
      }
    }
  }

  /** The query of our generation, wherever it is; those of others are stopped. */
  async #take(session: SparkSession, run: QueryRun): Promise<StreamingQuery> {
    const { generation, signal } = run;
    const name = `${QUERY}-${generation}`;
    await run.mayStart();
    for (const query of await session.active({ signal })) {
      if (query.name === name) return query;
      await query.stop({ signal });
    }
    const { definitions, kafka, target, checkpointRoot, shufflePartitions, log } = this.#options;
    await session.setConfig(
      { ...PLAN_SETTINGS, 'spark.sql.shuffle.partitions': String(shufflePartitions) },
      { signal },
    );
    const source = {
      ...kafka,
      groupIdPrefix: GROUP,
      startingOffsets: 'earliest',
      failOnDataLoss: 'true',
      maxOffsetsPerTrigger: String(BATCH_RECORDS_MAX),
    };
    const query = await session.start(
      sparkPlan({ definitions, generation, kafka: source }),
      {
        name,
        format: 'kafka',
        outputMode: 'update',
        // A batch starts as soon as the one before has ended.
        trigger: { everyMs: 0 },
        checkpoint: `${checkpointRoot}/${generation}`,
        options: { ...kafka, topic: target },
      },
      { signal },
    );
    log.info('the Spark query runs', { generation, run: query.runId });
    return query;
  }

  /** Why the query ended, where it can be asked: its own words say more than the call that met its end. */
  async #fault(error: unknown, query: StreamingQuery | null): Promise<unknown> {
    if (query === null || (error as SparkConnectError).errorClass !== 'STREAM_FAILED') return error;
    return stopped(await query.exception().catch(() => null));
  }

  /** Stops the query, unless it is another's by now. */
  async #giveBack(session: SparkSession, run: QueryRun): Promise<void> {
    const isOurs = await run.mayStart().then(
      () => true,
      () => false,
    );
    try {
      if (isOurs) await session.release({ deadlineMs: STOP_MS });
    } catch (error) {
      this.#options.log.warn('the Spark query could not be stopped, and runs on', { error: error as Error });
    } finally {
      await session.close();
    }
  }
}

/** false as soon as the signal aborts. */
async function untilAborted(ended: Promise<boolean>, signal: AbortSignal): Promise<boolean> {
  try {
    return await ended;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}

/** Spark found that records it had not counted yet are gone, or that the topic is another one. */
const DATA_LOSS = /KAFKA_DATA_LOSS|failOnDataLoss|OffsetOutOfRangeException/;

/** The fault of a query that ended while nobody asked it to. */
function stopped(failure: QueryFailure | null): Error {
  const [first = ''] = (failure?.message ?? 'it was stopped by somebody else').split('\n');
  if (failure !== null && DATA_LOSS.test(failure.message)) {
    return new UserError(
      `Spark cannot go on: records it has not counted are gone from Kafka, or a topic was made anew (${first})`,
      'Bring the topics back, or start over with `instashop reset`; give Kafka a longer retention.',
    );
  }
  return Object.assign(new Error(`the Spark query ended: ${first}`), { retryable: true });
}
