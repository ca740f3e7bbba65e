import { Code, ConnectError } from '@connectrpc/connect';
import { UserError } from '../../../../lib/errors.ts';
import { ErrorInfoSchema } from './generated/error-info_pb.ts';

/** gRPC: the server is away, too slow or too busy, or the connection broke in the middle. */
const PASSING = new Set(['unavailable', 'deadline_exceeded', 'resource_exhausted', 'aborted']);

/** Spark: this session is no more, or no longer the one that answered before (a new server under the same address). */
const SESSION_LOST = /^INVALID_HANDLE\.SESSION_(CHANGED|NOT_FOUND|CLOSED)$/;

/** The server lives, but its Spark does not: it lost its master, or is going down. */
const STOPPED = /stopped SparkContext|SparkContext (was|has been) (stopped|shut ?down)/;

interface Details {
  readonly errorClass: string | null;
  readonly sqlState: string | null;
}

/** What a Spark Connect server refused or failed to do, or that it could not be asked. */
export class SparkConnectError extends Error {
  /** The gRPC code in words: `unavailable`, `deadline_exceeded`, `internal`, … */
  readonly code: string;
  /** Spark's error class with its subclass, such as `INVALID_HANDLE.SESSION_CHANGED`; null where it gave none. */
  readonly errorClass: string | null;
  readonly sqlState: string | null;
  /** The session's state at the server is gone, and its queries with it: connect again and start them anew. */
  readonly sessionLost: boolean;
  /**
   * Whether time may help: the server is away, busy, restarting or was restarted. When a call fails like this it may
   * have taken effect all the same.
   */
  readonly retryable: boolean;

  constructor(
    message: string,
    code: string,
    details: Details = { errorClass: null, sqlState: null },
    cause?: unknown,
  ) {
    super(message, { cause });
    this.name = 'SparkConnectError';
    this.code = code;
    this.errorClass = details.errorClass;
    this.sqlState = details.sqlState;
    this.sessionLost = SESSION_LOST.test(details.errorClass ?? '');
    this.retryable = PASSING.has(code) || this.sessionLost || STOPPED.test(message);
  }
}

const codeName = (code: Code): string =>
  Code[code].replace(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase();

/**
 * The fault of a call as the caller is to see it: a SparkConnectError, or a UserError where the server refuses the
 * token, or the signal's reason where the caller gave up.
 */
export function asSparkError(error: unknown, url: string, signal?: AbortSignal): unknown {
  if (signal?.aborted) return signal.reason;
  if (error instanceof SparkConnectError || error instanceof UserError) return error;
  const fault = ConnectError.from(error);
  if (fault.code === Code.Unauthenticated) {
    return new UserError(
      `Spark Connect at ${url} refuses the token`,
      'Give the token the server was started with (SPARK_CONNECT_AUTHENTICATE_TOKEN in its environment).',
    );
  }
  const code = isBroken(fault) ? 'aborted' : codeName(fault.code);
  return new SparkConnectError(`Spark Connect at ${url}: ${fault.rawMessage}`, code, detailsOf(fault), error);
}

/**
 * Whether the connection broke before the server could say how the call ended. The transport has several codes for
 * that, canceled and internal among them, but what the server says comes with its headers.
 */
function isBroken(fault: ConnectError): boolean {
  if (fault.code === Code.Unavailable || fault.code === Code.DeadlineExceeded) return false;
  if ([...fault.metadata].length > 0) return false;
  if (fault.code === Code.Canceled || /^(http\/2|protocol error)/.test(fault.rawMessage)) return true;
  for (let cause = fault.cause; cause instanceof Error; cause = cause.cause) {
    if (/^(E[A-Z]+|ERR_(HTTP2|STREAM)_\w+)$/.test(String((cause as NodeJS.ErrnoException).code))) return true;
  }
  return false;
}

function detailsOf(fault: ConnectError): Details {
  const metadata = fault.findDetails(ErrorInfoSchema)[0]?.metadata ?? {};
  const { errorClass = null, sqlState = null } = metadata;
  // Errors from before a session is there come as text only: `[INVALID_HANDLE.SESSION_CHANGED] The handle …`.
  const named = /\[([A-Z_0-9]+(?:\.[A-Z_0-9]+)*)\]/.exec(fault.rawMessage)?.[1] ?? null;
  return { errorClass: errorClass ?? named, sqlState };
}
