import type { DeadLetterReason } from '../contracts/dead-letter.ts';

/** What happened to a record. Exceptions are for the process, never for a record. */
export type Outcome<T> =
  | { readonly kind: 'ok'; readonly value: T }
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'deadLetter'; readonly reason: DeadLetterReason; readonly message: string };

export const ok = <T>(value: T): Outcome<T> => ({ kind: 'ok', value });
export const skip = (reason: string): Outcome<never> => ({ kind: 'skip', reason });
export const deadLetter = (reason: DeadLetterReason, message: string): Outcome<never> => ({
  kind: 'deadLetter',
  reason,
  message,
});
