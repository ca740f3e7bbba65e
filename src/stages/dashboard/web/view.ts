// From what came over the wire to what is shown: sums over real windows, nothing estimated.
import { LIVE_SPAN_MS, LIVE_WINDOW_MS, type LiveValue } from '../../../contracts/live.ts';
import type { Model } from './model.ts';

/** Commits older than this while records wait: the page shows the past and says so. */
const BEHIND_MS = 5_000;
const BEHIND_BYTES = 1 << 20;
/** A shop whose clock is further from ours than this runs on a simulated clock. */
const SIMULATED_MS = 600_000;

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
}

export interface Counted {
  readonly count: number;
  readonly minor: number;
}

export interface Ranked {
  readonly name: string;
  readonly value: number;
}

export interface View {
  /** All windows of the span, oldest first, empty ones included; the last is the newest. */
  readonly windows: readonly WindowView[];
  readonly newest: WindowView | undefined;
  readonly lastClosed: WindowView | undefined;
  readonly revenueMinor: number;
  readonly netMinor: number;
  readonly sales: number;
  readonly pending: Counted;
  readonly failed: Counted;
  readonly refunded: Counted;
  readonly categoryRevenue: readonly Ranked[];
  readonly categorySales: readonly Ranked[];
  readonly behaviors: readonly Ranked[];
  readonly hasSales: boolean;
}

/** Whether events waited to be counted at the last message, so that the newest numbers are of the past. */
export function isBehind(model: Model): boolean {
  if (model.newestCommittedAt === null || model.serverTime - model.newestCommittedAt < BEHIND_MS)
    return false;
  for (const { lag, lag_unit } of model.stages.values())
    if ((lag ?? 0) > (lag_unit === 'bytes' ? BEHIND_BYTES : 0)) return true;
  return false;
}

/** Where event time stands now: it passes without events too, unless we are behind or the shop's clock is simulated. */
export function eventNow(model: Model, serverNow: number): number | null {
  const { newestEventTime, newestCommittedAt } = model;
  if (newestEventTime === null || newestCommittedAt === null) return null;
  const simulated = Math.abs(newestCommittedAt - newestEventTime) > SIMULATED_MS;
  if (simulated || isBehind(model)) return newestEventTime;
  return Math.max(serverNow, newestEventTime);
}

const figure = (value: LiveValue | undefined, name: string): number => value?.values[name] ?? 0;

const textOf = (value: LiveValue, field: string): string => String(value.group[field] ?? '');

const ranked = (sums: ReadonlyMap<string, number>): Ranked[] =>
  [...sums]
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => ({ name, value }))
    .sort((a, b) => b.value - a.value || a.name.localeCompare(b.name));

/** Currencies with sales on the page, the shop's main one first. */
export function currenciesOf({ values, mainCurrency: main }: Model): readonly string[] {
  const found = new Set<string>();
  for (const value of values.values())
    if (value.metric === 'transactions') found.add(textOf(value, 'currency'));
  return [...found].sort((a, b) => Number(b === main) - Number(a === main) || a.localeCompare(b));
}

const windowView = (start: number, now: number, value: LiveValue | undefined): WindowView => ({
  start,
  end: start + LIVE_WINDOW_MS,
  open: value === undefined ? start + LIVE_WINDOW_MS > now : value.state === 'open',
  revision: value?.revision ?? 0,
  revenueMinor: figure(value, 'completed_entered_minor'),
  netMinor: figure(value, 'completed_entered_minor') - figure(value, 'completed_left_minor'),
  sales: figure(value, 'completed_entered'),
  buyers: figure(value, 'buyers'),
});

function sumBy(values: readonly LiveValue[], field: string, name: string): Map<string, number> {
  const sums = new Map<string, number>();
  for (const value of values) {
    const key = textOf(value, field);
    sums.set(key, (sums.get(key) ?? 0) + figure(value, name));
  }
  return sums;
}

/** Everything the page shows of the last ten minutes, in one currency: different currencies are never added. */
export function viewOf(model: Model, currency: string, serverNow: number): View {
  const now = eventNow(model, serverNow) ?? serverNow;
  const lastStart = Math.floor(now / LIVE_WINDOW_MS) * LIVE_WINDOW_MS;
  const firstStart = lastStart - LIVE_SPAN_MS + LIVE_WINDOW_MS;
  const all = [...model.values.values()];
  const shown = all.filter(({ window_start }) => window_start >= firstStart && window_start <= lastStart);
  const sales = shown.filter(
    (value) => value.metric === 'transactions' && textOf(value, 'currency') === currency,
  );
  const items = shown.filter(
    (value) => value.metric === 'products_by_category' && textOf(value, 'currency') === currency,
  );
  const byStart = new Map(sales.map((value) => [value.window_start, value]));
  const windows = Array.from({ length: LIVE_SPAN_MS / LIVE_WINDOW_MS }, (_, index) => {
    const start = firstStart + index * LIVE_WINDOW_MS;
    return windowView(start, now, byStart.get(start));
  });
  const sum = (name: string): number => sales.reduce((total, value) => total + figure(value, name), 0);
  const counted = (status: string): Counted => ({
    count: sum(`${status}_entered`),
    minor: sum(`${status}_entered_minor`),
  });
  return {
    windows,
    newest: windows.at(-1),
    lastClosed: windows.findLast(({ open }) => !open),
    revenueMinor: sum('completed_entered_minor'),
    netMinor: sum('completed_entered_minor') - sum('completed_left_minor'),
    sales: sum('completed_entered'),
    pending: counted('pending'),
    failed: counted('failed'),
    refunded: counted('refunded'),
    categoryRevenue: ranked(sumBy(items, 'category', 'gross_minor')),
    categorySales: ranked(sumBy(items, 'category', 'sales')),
    behaviors: ranked(
      sumBy(
        shown.filter(({ metric }) => metric === 'behavior'),
        'interaction_type',
        'count',
      ),
    ),
    hasSales: sales.length > 0,
  };
}
