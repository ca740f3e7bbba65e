// What a viewer asked for: how long a period, and whose sales.
import {
  isSeries,
  LIVE_PERIOD_S_DEFAULT,
  LIVE_PERIODS_S,
  type LiveFilter,
  type LiveScope,
  type LiveValue,
  SERIES_OF,
} from '../../../contracts/live.ts';
import { METRIC_TEXT_CHARS_MAX } from '../../../contracts/metrics.ts';

export const DEFAULT_SCOPE: LiveScope = { period_s: LIVE_PERIOD_S_DEFAULT, filter: null };

const FILTERS = Object.keys(SERIES_OF) as LiveFilter['by'][];
const PARAMETERS: readonly string[] = ['period', ...FILTERS];

/** The scope of a query, or what is wrong with it. */
export function scopeOf(query: Readonly<Record<string, unknown>>): LiveScope | string {
  const unknown = Object.keys(query).find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) return `There is no parameter "${unknown}": use ${PARAMETERS.join(', ')}.`;
  const period = LIVE_PERIODS_S.find(
    (each) => String(each) === (query['period'] ?? String(LIVE_PERIOD_S_DEFAULT)),
  );
  if (period === undefined) return `period must be one of ${LIVE_PERIODS_S.join(', ')} (seconds).`;
  const given = FILTERS.filter((name) => query[name] !== undefined);
  const [by] = given;
  if (by === undefined) return { period_s: period, filter: null };
  if (given.length > 1) return `Sales are not counted by ${given.join(' and ')} at once: name one of them.`;
  const of = query[by];
  if (typeof of !== 'string' || of === '' || of.length > METRIC_TEXT_CHARS_MAX) {
    return `${by} must be one text of 1 to ${METRIC_TEXT_CHARS_MAX} characters.`;
  }
  if (by === 'merchant' && !/^\d{1,15}$/.test(of)) return 'merchant must be a whole number (customer_id).';
  return { period_s: period, filter: { by, of } };
}

/** Which values travel to a viewer, given the start of the newest window. */
export function inScope(scope: LiveScope, newestStart: number): (value: LiveValue) => boolean {
  const periodMs = scope.period_s * 1_000;
  return (value) => {
    const { window_start: start } = value;
    if (start < newestStart - 2 * periodMs) return false;
    if (isSeries(scope, value)) return true;
    if (scope.own) return false;
    return start >= newestStart - periodMs && value.metric !== 'transactions_by_merchant';
  };
}
