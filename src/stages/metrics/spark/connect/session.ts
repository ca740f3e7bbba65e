import type { Clock } from '../../../../lib/clock.ts';
import { type CallOptions, Channel, type ChannelOptions } from './channel.ts';
import { SparkConnectError } from './errors.ts';
import { StreamingQueryEventType as EventType } from './generated/spark-connect_pb.ts';
import { parseEvent, type QueryEvent } from './progress.ts';
import { StreamingQuery } from './query.ts';
import type { Relation } from './relations.ts';

export interface SessionOptions extends ChannelOptions {
  readonly clock: Clock;
  /** Between heartbeats; must be below the server's session timeout (one hour by default). Default 30,000. */
  readonly heartbeatMs?: number;
  /** A heartbeat that failed; the next ones may succeed, unless the error says `sessionLost`. */
  readonly onFault?: (error: Error) => void;
}

/**
 * When a batch starts: at least `everyMs` after the one before (0: at once), or once for all that is there now and then
 * the query ends; or one long batch that passes rows on as they come (`realTimeMs` long; Spark refuses what it cannot
 * do that way), or Spark's continuous mode (no aggregation) with a checkpoint each `continuousMs`.
 */
export type Trigger =
  | { readonly everyMs: number }
  | { readonly realTimeMs: number }
  | { readonly continuousMs: number }
  | 'available-now'
  | 'once';

export interface StartOptions {
  /** One running query a name in a session; by it the query is found again. */
  readonly name: string;
  /** Of the sink: `kafka`, `json`, `memory`, `noop`, … */
  readonly format: string;
  readonly outputMode: 'append' | 'update' | 'complete';
  readonly trigger: Trigger;
  /**
   * Folder (a path or URL that driver and executors reach) with what has been processed. Without it everything is
   * forgotten when the query ends. Of two queries on one folder Spark silently stops the first.
   */
  readonly checkpoint?: string;
  /** As Spark documents them for the sink. */
  readonly options?: Readonly<Record<string, string>>;
  /** For sinks that write files. */
  readonly path?: string;
}

const HEARTBEAT_MS = 30_000;

const EVENT_TYPES: Readonly<Partial<Record<number, QueryEvent['type']>>> = {
  [EventType.QUERY_PROGRESS_EVENT]: 'progress',
  [EventType.QUERY_TERMINATED_EVENT]: 'terminated',
  [EventType.QUERY_IDLE_EVENT]: 'idle',
};

/**
 * A session at a Spark Connect server: settings and running queries under a user and a session id. The server keeps
 * it: a client that connects with the same two, in this process or after a restart, finds its queries again; nobody
 * else does. A server that restarts loses all sessions; then all methods reject with `sessionLost`, and connecting
 * again makes a new one.
 *
 * All methods reject with a SparkConnectError, or with a UserError where the token is refused.
 */
export class SparkSession implements AsyncDisposable {
  /** Of the server: `4.2.0`. */
  readonly sparkVersion: string;
  readonly #channel: Channel;
  readonly #options: SessionOptions;
  readonly #heart: Promise<void>;

  private constructor(channel: Channel, options: SessionOptions, sparkVersion: string) {
    this.#channel = channel;
    this.#options = options;
    this.sparkVersion = sparkVersion;
    this.#heart = this.#beat();
  }

  /** Opens the session or finds it again. Rejects with a UserError when the URL or the token is wrong. */
  static async connect(options: SessionOptions, call?: CallOptions): Promise<SparkSession> {
    const channel = new Channel(options);
    try {
      return new SparkSession(channel, options, await channel.sparkVersion(call));
    } catch (error) {
      channel.close();
      throw error;
    }
  }

  /**
   * Starts a query and resolves when Spark has planned it, before its first batch. After a `retryable` error it may
   * run all the same: look for it by its name.
   */
  async start(input: Relation, options: StartOptions, call?: CallOptions): Promise<StreamingQuery> {
    const { name, format, outputMode, trigger, checkpoint, path } = options;
    const value = {
      input,
      format,
      outputMode,
      queryName: name,
      options: {
        ...options.options,
        ...(checkpoint === undefined ? {} : { checkpointLocation: checkpoint }),
      },
      trigger: wireTrigger(trigger),
      ...(path === undefined ? {} : { sinkDestination: { case: 'path', value: path } as const }),
    };
    const started = await this.#channel.command(
      { commandType: { case: 'writeStreamOperationStart', value } },
      'writeStreamOperationStartResult',
      call,
    );
    return this.#query(started.queryId, started.name);
  }

  /** The queries of this session that run. */
  async active(call?: CallOptions): Promise<readonly StreamingQuery[]> {
    const { resultType } = await this.#channel.command(
      {
        commandType: {
          case: 'streamingQueryManagerCommand',
          value: { command: { case: 'active', value: true } },
        },
      },
      'streamingQueryManagerCommandResult',
      call,
    );
    if (resultType.case !== 'active') throw this.#channel.unanswered('active');
    return resultType.value.activeQueries.map(({ id, name }) => this.#query(id, name));
  }

  /** The query of that name if it runs, whoever started it in this session; else null. */
  async queryByName(name: string, call?: CallOptions): Promise<StreamingQuery | null> {
    return (await this.active(call)).find((query) => query.name === name) ?? null;
  }

  /** The values of these settings; null for those that are not set. */
  async getConfig(keys: readonly string[], call?: CallOptions): Promise<ReadonlyMap<string, string | null>> {
    const pairs = await this.#channel.config({ case: 'getOption', value: { keys: [...keys] } }, call);
    return new Map(pairs.map(({ key, value }) => [key, value ?? null]));
  }

  /** Settings of this session (spark.sql.…); queries take them when they start. */
  async setConfig(values: Readonly<Record<string, string>>, call?: CallOptions): Promise<void> {
    const pairs = Object.entries(values).map(([key, value]) => ({ key, value }));
    await this.#channel.config({ case: 'set', value: { pairs } }, call);
  }

  /**
   * What happens to the queries of this session, from when this resolves. One listener a session: the one before, of
   * whatever client, is ended. The events end then, and throw when the connection or a heartbeat fails.
   */
  async listen(call: Pick<CallOptions, 'signal'> = {}): Promise<AsyncIterable<QueryEvent>> {
    await this.#channel.run(listenerBus('removeListenerBusListener'), call);
    const signal = call.signal;
    const answers = this.#channel.execute(listenerBus('addListenerBusListener'), signal ? { signal } : {});
    const first = await answers.next();
    if (first.done) throw this.#channel.unanswered('listener');
    return events(answers);
  }

  /** Ends the session at the server, stops its queries, and closes. Its ids may be used again. */
  async release(call?: CallOptions): Promise<void> {
    await this.#channel.releaseSession(call);
    await this.close();
  }

  /** Lets go of the session: calls under way reject, the queries run on. */
  async close(): Promise<void> {
    this.#channel.close();
    await this.#heart;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #query(instance: { readonly id: string; readonly runId: string } | undefined, name = ''): StreamingQuery {
    if (instance === undefined) throw this.#channel.unanswered('query id');
    return new StreamingQuery(this.#channel, { id: instance.id, runId: instance.runId, name });
  }

  /** Keeps the session from expiring, and notices a server that is gone, frozen or another one. */
  async #beat(): Promise<void> {
    const { clock, heartbeatMs = HEARTBEAT_MS, onFault } = this.#options;
    const { closed } = this.#channel;
    for (;;) {
      await clock.sleep(heartbeatMs, closed);
      if (closed.aborted) return;
      try {
        await this.#channel.sparkVersion();
      } catch (error) {
        if (closed.aborted) return;
        const fault = error as Error;
        // What waits on this connection without a deadline would wait for ever.
        this.#channel.reconnect('the connection was given up after a heartbeat failed');
        onFault?.(fault);
        if (fault instanceof SparkConnectError && fault.sessionLost) return;
      }
    }
  }
}

function wireTrigger(trigger: Trigger) {
  if (trigger === 'available-now') return { case: 'availableNow', value: true } as const;
  if (trigger === 'once') return { case: 'once', value: true } as const;
  const ms = (value: number): string => `${value} milliseconds`;
  if ('everyMs' in trigger) return { case: 'processingTimeInterval', value: ms(trigger.everyMs) } as const;
  if ('realTimeMs' in trigger)
    return { case: 'realTimeBatchDuration', value: ms(trigger.realTimeMs) } as const;
  return { case: 'continuousCheckpointInterval', value: ms(trigger.continuousMs) } as const;
}

const listenerBus = (what: 'addListenerBusListener' | 'removeListenerBusListener') => ({
  commandType: {
    case: 'streamingQueryListenerBusCommand' as const,
    value: { command: { case: what, value: true } },
  },
});

async function* events(answers: ReturnType<Channel['execute']>): AsyncGenerator<QueryEvent> {
  for await (const answer of answers) {
    if (answer.case !== 'streamingQueryListenerEventsResult') continue;
    for (const { eventType, eventJson } of answer.value.events) {
      const event = parseEvent(EVENT_TYPES[eventType] ?? null, eventJson);
      if (event !== null) yield event;
    }
  }
}
