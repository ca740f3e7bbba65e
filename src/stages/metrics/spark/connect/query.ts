import type { MessageInitShape } from '@bufbuild/protobuf';
import type { CallOptions, Channel } from './channel.ts';
import type {
  StreamingQueryCommandResult,
  StreamingQueryCommandSchema,
} from './generated/spark-connect_pb.ts';
import { parseProgress, type QueryProgress } from './progress.ts';

type Command = NonNullable<MessageInitShape<typeof StreamingQueryCommandSchema>['command']>;
type Result = StreamingQueryCommandResult['resultType'];
type Results = { [Kind in Result as NonNullable<Kind['case']>]: Kind['value'] };

export interface QueryIdentity {
  /** Of the checkpoint: the same each time the query is started on it. */
  readonly id: string;
  /** Of this start. */
  readonly runId: string;
  /** Empty for a query without a name. */
  readonly name: string;
}

export interface QueryStatus {
  /** false when it was stopped or has failed; `exception` tells which. */
  readonly isActive: boolean;
  /** In Spark's words what it is doing. */
  readonly message: string;
  readonly isDataAvailable: boolean;
  readonly isTriggerActive: boolean;
}

/** Why a query failed. */
export interface QueryFailure {
  readonly message: string;
  /** Spark's error class; null where it has none. */
  readonly errorClass: string | null;
  /** Java's; null unless the server is told to give it. */
  readonly stackTrace: string | null;
}

/**
 * One run of a streaming query at the server. It goes on without this client, also after its session object is closed.
 * All methods reject as those of SparkSession, and when the server no longer knows the query: it forgets one an hour
 * after it has ended.
 */
export class StreamingQuery implements QueryIdentity {
  readonly id: string;
  readonly runId: string;
  readonly name: string;
  readonly #channel: Channel;

  constructor(channel: Channel, { id, runId, name }: QueryIdentity) {
    this.#channel = channel;
    this.id = id;
    this.runId = runId;
    this.name = name;
  }

  async status(call?: CallOptions): Promise<QueryStatus> {
    const status = await this.#result({ case: 'status', value: true }, 'status', call);
    const { isActive, statusMessage, isDataAvailable, isTriggerActive } = status;
    return { isActive, message: statusMessage, isDataAvailable, isTriggerActive };
  }

  /** Of the newest batch; null before the first one. */
  async lastProgress(call?: CallOptions): Promise<QueryProgress | null> {
    const command = { case: 'lastProgress', value: true } as const;
    const { recentProgressJson } = await this.#result(command, 'recentProgress', call);
    const newest = recentProgressJson.at(-1);
    return newest === undefined ? null : parseProgress(newest);
  }

  /** Of the newest batches, oldest first: at most spark.sql.streaming.numRecentProgressUpdates (100). */
  async recentProgress(call?: CallOptions): Promise<readonly QueryProgress[]> {
    const command = { case: 'recentProgress', value: true } as const;
    const { recentProgressJson } = await this.#result(command, 'recentProgress', call);
    return recentProgressJson.map(parseProgress);
  }

  /** Why it failed; null while it runs and when it was stopped. */
  async exception(call?: CallOptions): Promise<QueryFailure | null> {
    const { resultType } = await this.#send({ case: 'exception', value: true }, call);
    // Where there is none Spark leaves the result out.
    if (resultType.case !== 'exception') return null;
    const { exceptionMessage = '', errorClass, stackTrace } = resultType.value;
    return { message: exceptionMessage, errorClass: errorClass ?? null, stackTrace: stackTrace ?? null };
  }

  /** Resolves when it has ended; the batch under way is given up, its checkpoint stays whole. Again: no effect. */
  async stop(call?: CallOptions): Promise<void> {
    await this.#send({ case: 'stop', value: true }, call);
  }

  /** Whether it has ended, after at most `waitMs`. Rejects with STREAM_FAILED when it has failed. */
  async awaitTermination(waitMs: number, call?: Pick<CallOptions, 'signal'>): Promise<boolean> {
    const command = { case: 'awaitTermination', value: { timeoutMs: BigInt(waitMs) } } as const;
    const deadlineMs = waitMs + this.#channel.callMsMax;
    return (await this.#result(command, 'awaitTermination', { ...call, deadlineMs })).terminated;
  }

  /**
   * Resolves when all that was in the sources at the time of the call is processed. For tests: with sources that never
   * pause it may take for ever, that is until the call's deadline.
   */
  async processAllAvailable(call?: CallOptions): Promise<void> {
    await this.#send({ case: 'processAllAvailable', value: true }, call);
  }

  async #result<Kind extends keyof Results>(
    command: Command,
    kind: Kind,
    call: CallOptions | undefined,
  ): Promise<Results[Kind]> {
    const { resultType } = await this.#send(command, call);
    if (resultType.case === kind) return resultType.value as Results[Kind];
    throw this.#channel.unanswered(kind);
  }

  #send(command: Command, call: CallOptions | undefined): Promise<StreamingQueryCommandResult> {
    const queryId = { id: this.id, runId: this.runId };
    return this.#channel.command(
      { commandType: { case: 'streamingQueryCommand', value: { queryId, command } } },
      'streamingQueryCommandResult',
      call,
    );
  }
}
