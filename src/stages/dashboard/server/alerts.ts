// Alerts: rules judged over closed windows, told on the page and to a webhook when they begin and when they end.
import type { AlertFigure, LiveAlert, LiveAlerts } from '../../../contracts/alerts.ts';
import {
  LIVE_PERIODS_S,
  LIVE_WINDOW_MS,
  type LiveHistoryHour,
  type LiveValue,
} from '../../../contracts/live.ts';
import { WATERMARK_DELAY_MS } from '../../../contracts/metrics.ts';
import type { Clock } from '../../../lib/clock.ts';
import type { Log } from '../../../lib/log.ts';
import type { AlertRule, DeviationRule } from './alert-rules.ts';
import { HOUR_MS } from './history.ts';
import type { LiveModel } from './live-model.ts';
import type { Webhook } from './webhook.ts';

const LOOK_MS = 5_000;
const RECENT_MAX = 50;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * HOUR_MS;
/** Fewer earlier days make no mean. */
const DAYS_MIN = 2;
/** Everything that rules can look at, and as much before it. */
const SCOPE = { period_s: LIVE_PERIODS_S.at(-1)!, filter: null };

export interface AlertsOptions {
  readonly rules: readonly AlertRule[];
  readonly model: Pick<LiveModel, 'since'>;
  /** Whether a stage is not well: what is missing then may be the pipeline's. */
  readonly isUnwell: () => boolean;
  /** The time in the shop, epoch ms. */
  readonly shopNow: () => number;
  /** Hours of the warehouse that hold anything, in [from, to). */
  readonly hours: (from: number, to: number) => Promise<readonly LiveHistoryHour[]>;
  readonly webhook: Webhook | null;
  readonly mainCurrency: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Alerts {
  current(): LiveAlerts;
  /** Judges all rules once. */
  judge(): Promise<void>;
  /** Judges again and again until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
}

type Found = Pick<LiveAlert, 'kind' | 'value' | 'bound'>;

/** What the figure is over windows that start in [from, to). */
export function figureOf(
  figure: AlertFigure,
  values: readonly LiveValue[],
  [from, to]: readonly [number, number],
  mainCurrency: string,
): number {
  const sum = (metric: string, name: string, of: (group: LiveValue['group']) => boolean = () => true) =>
    values.reduce((total, value) => {
      const isIn = value.metric === metric && value.window_start >= from && value.window_start < to;
      return isIn && of(value.group) ? total + (value.values[name] ?? 0) : total;
    }, 0);
  const sales = (name: string) => sum('transactions', name);
  switch (figure) {
    case 'sales':
      return sales('completed_entered');
    case 'revenue':
      return (
        sum('transactions', 'completed_entered_minor', ({ currency }) => currency === mainCurrency) / 100
      );
    case 'failed':
      return sales('failed_entered');
    case 'failed_percent': {
      const failed = sales('failed_entered');
      const all = failed + sales('completed_entered');
      return all === 0 ? 0 : (100 * failed) / all;
    }
    case 'refunded':
      return sales('refunded_entered');
    case 'visits':
      return sum('behavior', 'count', ({ interaction_type }) => interaction_type === 'website_visit');
    case 'carts_abandoned':
      return sum('carts', 'count', ({ event_type }) => event_type === 'cart_abandonment');
  }
}

const hourFigure = (hour: LiveHistoryHour, figure: DeviationRule['figure'], mainCurrency: string): number => {
  if (figure === 'revenue') return hour.currency === mainCurrency ? hour.gross_minor / 100 : 0;
  return figure === 'sales' ? hour.completed : hour[figure];
};

/**
 * What `minutes` of this hour brought on earlier days, in the mean; null where fewer than DAYS_MIN of them are known.
 * Hours of which nothing is known count from the first that is: nothing was sold in them.
 */
export function expectedOf(
  { figure, minutes, days }: DeviationRule,
  hours: readonly LiveHistoryHour[],
  hour: number,
  mainCurrency: string,
): number | null {
  const first = Math.min(...hours.map(({ hour: start }) => start));
  const starts = Array.from({ length: days }, (_, day) => hour - (day + 1) * DAY_MS).filter(
    // The first hour of all was not whole.
    (start) => start > first,
  );
  if (starts.length < DAYS_MIN) return null;
  const sum = hours
    .filter(({ hour: start }) => starts.includes(start))
    .reduce((total, one) => total + hourFigure(one, figure, mainCurrency), 0);
  return (sum / starts.length) * (minutes / 60);
}

/** The category that moved most in that direction, against as many minutes before. */
export function explanationOf(
  values: readonly LiveValue[],
  [from, to]: readonly [number, number],
  isLess: boolean,
  mainCurrency: string,
): LiveAlert['explained'] {
  const changes = new Map<string, number>();
  for (const { metric, group, window_start: start, values: figures } of values) {
    if (metric !== 'products_by_category' || group['currency'] !== mainCurrency) continue;
    if (start < from - (to - from) || start >= to) continue;
    const category = String(group['category']);
    const sign = start < from ? -1 : 1;
    changes.set(category, (changes.get(category) ?? 0) + sign * (figures['gross_minor'] ?? 0));
  }
  const [most] = [...changes].sort(([, a], [, b]) => (isLess ? a - b : b - a));
  if (most === undefined || (isLess ? most[1] >= 0 : most[1] <= 0)) return null;
  return { category: most[0], change: most[1] / 100 };
}

/** Keeps what holds and the last of what held. */
export function alerts(options: AlertsOptions): Alerts {
  const { rules, model, webhook, mainCurrency, clock, log } = options;
  const active = new Map<string, LiveAlert>();
  let recent: readonly LiveAlert[] = [];
  let suspended: LiveAlerts['suspended'] = 'unknown';
  let read: { readonly hour: number; readonly hours: readonly LiveHistoryHour[] } | null = null;

  /** Read once an hour, for all rules. */
  const hoursBefore = async (hour: number): Promise<readonly LiveHistoryHour[]> => {
    if (read?.hour !== hour) {
      const days = Math.max(...rules.map((rule) => ('days' in rule ? rule.days : 0)));
      read = { hour, hours: await options.hours(hour - (days + 1) * DAY_MS, hour) };
    }
    return read.hours;
  };

  const found = async (rule: AlertRule, values: readonly LiveValue[], to: number): Promise<Found | null> => {
    const from = to - rule.minutes * MINUTE_MS;
    const value = figureOf(rule.figure, values, [from, to], mainCurrency);
    if (!('deviates_percent' in rule)) {
      const { above, below } = rule;
      if (above !== undefined && value > above) return { kind: 'above', value, bound: above };
      return below !== undefined && value < below ? { kind: 'below', value, bound: below } : null;
    }
    // Where the minutes lie in two hours, the middle one decides.
    const hour = Math.floor((from + to) / 2 / HOUR_MS) * HOUR_MS;
    const bound = expectedOf(rule, await hoursBefore(hour), hour, mainCurrency);
    if (bound === null || bound < rule.expected_min) return null;
    const percent = 100 * Math.abs(value / bound - 1);
    return percent > rule.deviates_percent ? { kind: 'expected', value, bound } : null;
  };

  const settle = (rule: AlertRule, now: Found | null, values: readonly LiveValue[], to: number): void => {
    const before = active.get(rule.name);
    if (now !== null) {
      const range = [to - rule.minutes * MINUTE_MS, to] as const;
      const explained = explanationOf(values, range, now.value < now.bound, mainCurrency);
      const alert = {
        ...{ rule: rule.name, figure: rule.figure, minutes: rule.minutes, ...now, at: to, explained },
        ...{ since: before?.since ?? to, until: null },
      };
      active.set(rule.name, alert);
      if (before !== undefined) return;
      log.warn('an alert begins', { rule: rule.name, value: now.value, bound: now.bound });
      webhook?.tell('begins', alert);
    } else if (before !== undefined) {
      active.delete(rule.name);
      const ended = { ...before, until: to };
      recent = [ended, ...recent].slice(0, RECENT_MAX);
      log.info('an alert ends', { rule: rule.name });
      webhook?.tell('ends', ended);
    }
  };

  let judgedTo = 0;
  const judge = async (): Promise<void> => {
    // The end of the newest window that is closed.
    const to = Math.floor((options.shopNow() - WATERMARK_DELAY_MS) / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
    if (options.isUnwell()) {
      suspended = 'unwell';
      return;
    }
    if (suspended === null && to === judgedTo) return;
    const state = model.since(0, SCOPE);
    const longest = Math.max(...rules.map(({ minutes }) => minutes)) * MINUTE_MS;
    const isKnown = state.known_from !== null && state.known_from <= to - longest;
    suspended = isKnown ? null : 'unknown';
    if (!isKnown) return;
    for (const rule of rules) {
      try {
        settle(rule, await found(rule, state.values, to), state.values, to);
      } catch (error) {
        // The warehouse is away: what needs it stays as it was.
        log.warn('an alert could not be judged', { rule: rule.name, error });
      }
    }
    judgedTo = to;
  };

  return {
    current: () => ({
      active: [...active.values()],
      recent,
      suspended: rules.length === 0 ? null : suspended,
      webhook: webhook?.counts() ?? null,
    }),
    judge,
    async run(signal) {
      while (!signal.aborted && rules.length > 0) {
        await clock.sleep(LOOK_MS, signal);
        if (!signal.aborted) await judge();
      }
    },
  };
}
