// From what came over the wire to what is shown: sums over real windows, nothing estimated.
import {
  isSeries,
  isSimulated,
  isWaiting,
  LIVE_WINDOW_MS,
  type LiveFilter,
  type LiveScope,
  type LiveValue,
  SERIES_OF,
} from '../../../contracts/live.ts';
import { type Model, valuesOf } from './model.ts';

/** Commits older than this while records wait: the page shows the past and says so. */
const BEHIND_MS = 5_000;

export interface WindowView {
  readonly start: number;
  readonly end: number;
  readonly open: boolean;
  readonly revision: number;
  readonly revenueMinor: number;
  readonly netMinor: number;
  readonly sales: number;
  /** Distinct within the window: never added over windows. */
  readonly buyers: number;
  /** The same window of the period before; null where nobody counted. */
  readonly beforeMinor: number | null;
  readonly beforeSales: number | null;
}

export interface Counted {
  readonly count: number;
  readonly minor: number;
}

export interface Ranked {
  readonly name: string;
  readonly value: number;
  /** A second figure of the same: pieces, or an amount. */
  readonly beside: number;
}

/** The closed windows' sums and those of the same windows one period before. */
export interface Compared {
  readonly revenueMinor: readonly [now: number, before: number];
  readonly sales: readonly [now: number, before: number];
}

export interface View {
  readonly periodMs: number;
  readonly filter: LiveFilter | null;
  /** All windows of the period, oldest first, empty ones included; the last is the newest. */
  readonly windows: readonly WindowView[];
  readonly newest: WindowView | undefined;
  readonly lastClosed: WindowView | undefined;
  readonly revenueMinor: number;
  readonly netMinor: number;
  readonly sales: number;
  /** Null where items are counted, not sales (a category). */
  readonly statuses: Readonly<Record<'pending' | 'failed' | 'refunded', Counted>> | null;
  /** Null unless the whole period before is known. */
  readonly compared: Compared | null;
  readonly knownFrom: number | null;
  /** Of the whole shop. */
  readonly categories: readonly Ranked[];
  readonly payments: readonly Ranked[];
  readonly behaviors: readonly Ranked[];
  readonly carts: ReadonlyMap<string, Counted>;
  readonly visits: number;
  /** Interactions and sales placed in the newest closed window. */
  readonly events: number;
  readonly hasSales: boolean;
}

/** Whether events waited to be counted at the last message, so that the newest numbers are of the past. */
export function isBehind(model: Model): boolean {
  if (model.newestCommittedAt === null || model.serverTime - model.newestCommittedAt < BEHIND_MS)
    return false;
  return model.waiting ?? [...model.stages.values()].some(isWaiting);
}

/** Where event time stands now: it passes without events too, unless we are behind or the shop's clock is simulated. */
export function eventNow(model: Model, serverNow: number): number | null {
  const { newestEventTime, newestCommittedAt } = model;
  if (newestEventTime === null || newestCommittedAt === null) return null;
  if (isSimulated(newestEventTime, newestCommittedAt) || isBehind(model)) return newestEventTime;
  return Math.max(serverNow, newestEventTime);
}

const figure = (value: LiveValue | undefined, name: string): number => value?.values[name] ?? 0;

const textOf = (value: LiveValue, field: string): string => String(value.group[field] ?? '');

/** Currencies with sales on the page, the shop's main one first. */
export function currenciesOf(model: Model): readonly string[] {
  const main = model.mainCurrency;
  const found = new Set<string>();
  const sales = model.scope.own ? 'transactions_by_merchant' : 'transactions';
  for (const value of valuesOf(model, sales)) found.add(textOf(value, 'currency'));
  return [...found].sort((a, b) => Number(b === main) - Number(a === main) || a.localeCompare(b));
}

/** Sales call their figures otherwise than items do. */
const SALES = {
  revenue: 'completed_entered_minor',
  back: 'completed_left_minor',
  sales: 'completed_entered',
};
const ITEMS = { revenue: 'gross_minor', back: 'reversals_minor', sales: 'sales' };

/** Values of the period that pass the test, in one currency or all. */
function inPeriod(
  model: Model,
  metric: LiveValue['metric'],
  period: readonly [from: number, to: number],
  currency: string | null,
): LiveValue[] {
  const found: LiveValue[] = [];
  for (const value of valuesOf(model, metric)) {
    if (value.window_start < period[0] || value.window_start > period[1]) continue;
    if (currency === null || value.group['currency'] === currency) found.push(value);
  }
  return found;
}

function ranked(values: readonly LiveValue[], field: string, by: string, beside: string): Ranked[] {
  const sums = new Map<string, { value: number; beside: number }>();
  for (const value of values) {
    const key = textOf(value, field);
    const sum = sums.get(key) ?? { value: 0, beside: 0 };
    sums.set(key, { value: sum.value + figure(value, by), beside: sum.beside + figure(value, beside) });
  }
  return [...sums]
    .filter(([, { value }]) => value !== 0)
    .map(([name, sum]) => ({ name, ...sum }))
    .sort((a, b) => b.value - a.value || a.name.localeCompare(b.name));
}

function seriesOf(model: Model, scope: LiveScope, currency: string): Map<number, LiveValue> {
  const metric = scope.filter === null ? 'transactions' : SERIES_OF[scope.filter.by].metric;
  const series = new Map<number, LiveValue>();
  for (const value of valuesOf(model, metric)) {
    if (value.group['currency'] === currency && isSeries(scope, value)) series.set(value.window_start, value);
  }
  return series;
}

function compared(
  windows: readonly WindowView[],
  knownFrom: number | null,
  periodMs: number,
): Compared | null {
  const [first] = windows;
  if (first === undefined || knownFrom === null || knownFrom > first.start - periodMs) return null;
  const closed = windows.filter(({ open }) => !open);
  const sum = (of: (window: WindowView) => number | null): number =>
    closed.reduce((total, window) => total + (of(window) ?? 0), 0);
  return {
    revenueMinor: [sum((window) => window.revenueMinor), sum((window) => window.beforeMinor)],
    sales: [sum((window) => window.sales), sum((window) => window.beforeSales)],
  };
}

/** Everything the page shows of the model's period, in one currency: different currencies are never added. */
export function viewOf(model: Model, currency: string, serverNow: number): View {
  const { scope, knownFrom } = model;
  const { filter } = scope;
  const periodMs = scope.period_s * 1_000;
  const now = eventNow(model, serverNow) ?? serverNow;
  const lastStart = Math.floor(now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
  const firstStart = lastStart - periodMs + LIVE_WINDOW_MS;
  const period = [firstStart, lastStart] as const;
  const names = filter?.by === 'category' ? ITEMS : SALES;
  const series = seriesOf(model, scope, currency);
  const windows = Array.from({ length: periodMs / LIVE_WINDOW_MS }, (_, index): WindowView => {
    const start = firstStart + index * LIVE_WINDOW_MS;
    const end = start + LIVE_WINDOW_MS;
    const value = series.get(start);
    const before = series.get(start - periodMs);
    const isKnown = knownFrom !== null && start - periodMs >= knownFrom;
    return {
      start,
      end,
      open: value === undefined ? end > now : value.state === 'open',
      revision: value?.revision ?? 0,
      revenueMinor: figure(value, names.revenue),
      netMinor: figure(value, names.revenue) - figure(value, names.back),
      sales: figure(value, names.sales),
      buyers: figure(value, 'buyers'),
      beforeMinor: isKnown ? figure(before, names.revenue) : null,
      beforeSales: isKnown ? figure(before, names.sales) : null,
    };
  });
  const shown = [...series.values()].filter(({ window_start: at }) => at >= firstStart && at <= lastStart);
  const sum = (name: string): number => shown.reduce((total, value) => total + figure(value, name), 0);
  const counted = (status: string): Counted => ({
    count: sum(`${status}_entered`),
    minor: sum(`${status}_entered_minor`),
  });
  const lastClosed = windows.findLast(({ open }) => !open);
  const behavior = inPeriod(model, 'behavior', period, null);
  const behaviors = ranked(behavior, 'interaction_type', 'count', 'count');
  const carts = ranked(inPeriod(model, 'carts', period, currency), 'event_type', 'count', 'value_minor');
  const placed = [...valuesOf(model, 'transactions')];
  const closedOnly = (values: readonly LiveValue[], name: string): number =>
    values.reduce((all, one) => all + (one.window_start === lastClosed?.start ? figure(one, name) : 0), 0);
  return {
    periodMs,
    filter,
    windows,
    newest: windows.at(-1),
    lastClosed,
    revenueMinor: sum(names.revenue),
    netMinor: sum(names.revenue) - sum(names.back),
    sales: sum(names.sales),
    statuses:
      names === ITEMS
        ? null
        : { pending: counted('pending'), failed: counted('failed'), refunded: counted('refunded') },
    compared: compared(windows, knownFrom, periodMs),
    knownFrom,
    categories: ranked(
      inPeriod(model, 'products_by_category', period, currency),
      'category',
      'gross_minor',
      'quantity',
    ),
    payments: ranked(
      inPeriod(model, 'transactions_by_payment', period, currency),
      'payment_method',
      'completed_entered_minor',
      'completed_entered',
    ),
    behaviors,
    carts: new Map(carts.map(({ name, value, beside }) => [name, { count: value, minor: beside }])),
    visits: behaviors.find(({ name }) => name === 'website_visit')?.value ?? 0,
    events: closedOnly(behavior, 'count') + closedOnly(placed, 'placed'),
    hasSales: inPeriod(model, 'transactions', period, null).length > 0,
  };
}
