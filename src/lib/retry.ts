import type { Clock } from './clock.ts';

/** PostgreSQL conditions that pass by themselves: serialization, deadlock, resources, time-outs, the operator. */
const RETRYABLE_SQLSTATE = /^(08...|25P03|40001|40P01|53...|57P0[1-5]|55P03|58030)$/;
const RETRYABLE_CODE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOSPC',
  'EAGAIN',
  'EHOSTUNREACH',
]);

/**
 * Whether trying again may help: a lost connection, a busy or restarting server, a full disk.
 * An error says so itself with `retryable: true`, or is known by its SQLSTATE or system code.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, retryable } = error as Error & { code?: unknown; retryable?: unknown };
  if (typeof retryable === 'boolean') return retryable;
  if (typeof code === 'string' && (RETRYABLE_SQLSTATE.test(code) || RETRYABLE_CODE.has(code))) return true;
  if (error instanceof AggregateError) return error.errors.some(isRetryable);
  return /^(Connection terminated|Client has encountered a connection error|timeout expired)/.test(
    error.message,
  );
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** First delay; doubles up to `delayMsMax`. */
  readonly delayMs?: number;
  readonly delayMsMax?: number;
  readonly onRetry?: (error: Error, attempt: number, delayMs: number) => void;
}

/**
 * Runs `action` until it succeeds, with doubling delays between retryable faults. Any other fault is thrown at once,
 * and the last fault is thrown when the signal aborts.
 */
export async function retry<T>(action: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { clock, signal, delayMs = 100, delayMsMax = 5_000 } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await action();
    } catch (error) {
      if (!isRetryable(error) || signal.aborted) throw error;
      const waitMs = Math.min(delayMs * 2 ** (attempt - 1), delayMsMax);
      options.onRetry?.(error as Error, attempt, waitMs);
      await clock.sleep(waitMs, signal);
      if (signal.aborted) throw error;
    }
  }
}
