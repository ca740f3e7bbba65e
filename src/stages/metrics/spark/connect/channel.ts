import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type Client,
  Code,
  ConnectError,
  createClient,
  type CallOptions as WireOptions,
} from '@connectrpc/connect';
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node';
import { UserError } from '../../../../lib/errors.ts';
import { asSparkError, SparkConnectError } from './errors.ts';
import {
  type CommandSchema,
  type ConfigRequest_OperationSchema,
  type ExecutePlanResponse,
  type KeyValue,
  SparkConnectService,
} from './generated/spark-connect_pb.ts';

export type Command = MessageInitShape<typeof CommandSchema>;
type ConfigOperation = NonNullable<MessageInitShape<typeof ConfigRequest_OperationSchema>['opType']>;
type Answer = ExecutePlanResponse['responseType'];
type Answers = { [Kind in Answer as NonNullable<Kind['case']>]: Kind['value'] };

/** May be given to each call. */
export interface CallOptions {
  /** The call rejects with the signal's reason. The server may go on with it to its end. */
  readonly signal?: AbortSignal;
  /** The call rejects with `deadline_exceeded` when it takes longer. Default: the session's `callMsMax`. */
  readonly deadlineMs?: number;
}

export interface ChannelOptions {
  /** http://host:port, or https:// where a proxy ends TLS before the server. */
  readonly url: string;
  /** The bearer token the server asks for, if it does. */
  readonly token?: string | undefined;
  /** A UUID. The server keeps sessions by user and session id, and never opens one again that it let expire. */
  readonly sessionId: string;
  readonly userId: string;
  /** How this client is called in the server's log. */
  readonly clientType?: string;
  /** Default deadline of a call. Default 60,000: a busy server takes seconds to analyse a plan. */
  readonly callMsMax?: number;
}

const CLIENT_TYPE = 'instashop-live';
const CALL_MS_MAX = 60_000;

/**
 * The calls of one session, each with the token, a deadline and mapped errors. It also holds on to the server's own id
 * of the session, so that a server that was restarted answers `INVALID_HANDLE.SESSION_CHANGED` and not as if it were
 * the one before.
 */
export class Channel {
  readonly #options: ChannelOptions;
  readonly #connection: Http2SessionManager;
  readonly #client: Client<typeof SparkConnectService>;
  readonly #closing = new AbortController();
  #serverSessionId: string | undefined;

  constructor(options: ChannelOptions) {
    if (!/^https?:\/\/[^/]/.test(options.url)) {
      throw new UserError(
        `${options.url} is no address of a Spark Connect server`,
        'Write it as http://host:15002, or https://host:port where TLS ends before the server.',
      );
    }
    this.#options = options;
    // No pings: the server's gRPC takes more than one in five minutes for an attack. The heartbeat does their work.
    this.#connection = new Http2SessionManager(options.url);
    const transport = createGrpcTransport({ baseUrl: options.url, sessionManager: this.#connection });
    this.#client = createClient(SparkConnectService, transport);
  }

  /** Aborts when the channel is closed. */
  get closed(): AbortSignal {
    return this.#closing.signal;
  }

  /** Runs a command and resolves with its answer, which must be of this kind. */
  async command<Kind extends keyof Answers>(
    command: Command,
    kind: Kind,
    call?: CallOptions,
  ): Promise<Answers[Kind]> {
    const answer = await this.run(command, call);
    if (answer.case !== kind) throw this.unanswered(kind);
    return answer.value as Answers[Kind];
  }

  /** Runs a command to its end and resolves with the last it answered, whose case is undefined if that was nothing. */
  async run(command: Command, call: CallOptions = {}): Promise<Answer> {
    let last: Answer = { case: undefined };
    const deadlineMs = call.deadlineMs ?? this.callMsMax;
    for await (const answer of this.execute(command, { ...call, deadlineMs })) {
      if (answer.case !== undefined) last = answer;
    }
    return last;
  }

  /** Runs a command and yields its answers as they come. Without `deadlineMs` there is no deadline. */
  async *execute(command: Command, call: CallOptions): AsyncGenerator<Answer, void, undefined> {
    const signal = this.#signal(call);
    const request = { ...this.#session(), plan: { opType: { case: 'command' as const, value: command } } };
    try {
      for await (const response of this.#client.executePlan(request, this.#wire(signal, call.deadlineMs))) {
        this.#serverSessionId = response.serverSideSessionId;
        yield response.responseType;
      }
    } catch (error) {
      throw asSparkError(error, this.#options.url, signal);
    }
  }

  async sparkVersion(call?: CallOptions): Promise<string> {
    const analyze = { case: 'sparkVersion' as const, value: {} };
    const { result } = await this.#ask(call, (options) =>
      this.#client.analyzePlan({ ...this.#session(), analyze }, options),
    );
    return result.value?.version ?? '';
  }

  async config(opType: ConfigOperation, call?: CallOptions): Promise<readonly KeyValue[]> {
    const { pairs } = await this.#ask(call, (options) =>
      this.#client.config({ ...this.#session(), operation: { opType } }, options),
    );
    return pairs;
  }

  async releaseSession(call?: CallOptions): Promise<void> {
    const { clientObservedServerSideSessionId: _, ...session } = this.#session();
    await this.#ask(call, (options) =>
      this.#client.releaseSession({ ...session, allowReconnect: true }, options),
    );
  }

  /** Breaks the connection and, with a retryable error, what runs over it; the next call opens another one. */
  reconnect(why: string): void {
    this.#connection.abort(new ConnectError(why, Code.Unavailable));
  }

  /** Ends all calls under way; further ones reject. The server is told nothing. */
  close(): void {
    const { url } = this.#options;
    this.#closing.abort(new SparkConnectError(`the session at ${url} was closed`, 'canceled'));
    this.#connection.abort();
  }

  /** The fault of a server that answers without saying what it was asked. */
  unanswered(what: string): SparkConnectError {
    return new SparkConnectError(`Spark Connect at ${this.#options.url} gave no ${what}`, 'internal');
  }

  /** Default deadline of a call. */
  get callMsMax(): number {
    return this.#options.callMsMax ?? CALL_MS_MAX;
  }

  #signal({ signal }: CallOptions): AbortSignal {
    return signal ? AbortSignal.any([this.closed, signal]) : this.closed;
  }

  #wire(signal: AbortSignal, timeoutMs: number | undefined): WireOptions {
    const { token } = this.#options;
    return {
      signal,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    };
  }

  /** What each request says of the session. */
  #session() {
    const { sessionId, userId, clientType = CLIENT_TYPE } = this.#options;
    const observed = this.#serverSessionId;
    return {
      sessionId,
      userContext: { userId },
      clientType,
      ...(observed === undefined ? {} : { clientObservedServerSideSessionId: observed }),
    };
  }

  async #ask<T extends { readonly serverSideSessionId: string }>(
    call: CallOptions = {},
    ask: (options: WireOptions) => Promise<T>,
  ): Promise<T> {
    const signal = this.#signal(call);
    try {
      const response = await ask(this.#wire(signal, call.deadlineMs ?? this.callMsMax));
      this.#serverSessionId = response.serverSideSessionId;
      return response;
    } catch (error) {
      throw asSparkError(error, this.#options.url, signal);
    }
  }
}
