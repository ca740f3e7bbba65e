// What stands in a request's query.
import { HISTORY_HOURS_MAX } from '../../../contracts/live.ts';

export type Query = Record<string, unknown>;

const HOUR_MS = 3_600_000;
/** The last instant a Date can hold is further away; this is year 9999. */
const TIME_MAX_MS = 253_402_300_799_999;

/** A whole number within bounds, undefined where the text is not one. */
export function wholeNumber(text: unknown, min: number, max: number): number | undefined {
  if (typeof text !== 'string' || !/^\d{1,15}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= min && value <= max ? value : undefined;
}

/** What is wrong with the names of a query's parameters, if anything is. */
export function unknownName(query: Readonly<Query>, names: readonly string[]): string | undefined {
  const unknown = Object.keys(query).find((name) => !names.includes(name));
  return unknown === undefined ? undefined : `There is no parameter "${unknown}": use ${names.join(', ')}.`;
}

export interface WholeHours {
  readonly hours: number;
  /** The hour that holds the instant before this is the last one, epoch ms; null: the running hour. */
  readonly until: number | null;
  readonly customerId: number | null;
}

/** `hours`, `until` and `customer_id` of a query, or what is wrong with them. */
export function wholeHours(query: Readonly<Query>): WholeHours | string {
  const hours = wholeNumber(query['hours'] ?? '24', 1, HISTORY_HOURS_MAX);
  if (hours === undefined) return `hours must be a whole number from 1 to ${HISTORY_HOURS_MAX}.`;
  const number = (name: string, min: number, max: number): number | null | undefined =>
    query[name] === undefined ? null : wholeNumber(query[name], min, max);
  const until = number('until', HISTORY_HOURS_MAX * HOUR_MS, TIME_MAX_MS);
  if (until === undefined) return 'until must be a time in epoch milliseconds.';
  const customerId = number('customer_id', 1, Number.MAX_SAFE_INTEGER);
  if (customerId === undefined) return 'customer_id must be a whole number from 1.';
  return { hours, until, customerId };
}
