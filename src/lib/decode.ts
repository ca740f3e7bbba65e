import type { z } from 'zod';
import type { DeadLetterReason } from '../contracts/dead-letter.ts';
import type { Outcome } from './result.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const ISSUES_SHOWN_MAX = 3;

type Decoded<T> = Exclude<Outcome<{ readonly event: T; readonly json: string }>, { kind: 'skip' }>;

const refused = (reason: DeadLetterReason, message: string) =>
  ({ kind: 'deadLetter', reason, message }) as const;

/** A record's value as an event of its contract, with the JSON text it was; else why it is none. */
export function decodeEvent<T>(schema: z.ZodType<T>, value: Uint8Array): Decoded<T> {
  let json: string;
  let parsed: unknown;
  try {
    json = utf8.decode(value);
    parsed = JSON.parse(json);
  } catch (error) {
    return refused('invalid_json', (error as Error).message);
  }
  const result = schema.safeParse(parsed);
  if (result.success) return { kind: 'ok', value: { event: result.data, json } };
  const issues = result.error.issues.slice(0, ISSUES_SHOWN_MAX);
  return refused('schema', issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '));
}
