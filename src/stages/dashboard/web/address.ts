// The page's state as it stands in the address: what a reload, a link, and the browser's back button bring back.
import { HISTORY_HOURS_MAX, type LiveFilter, type LiveScope } from '../../../contracts/live.ts';

export const HOUR_MS = 3_600_000;

/** Seconds of the periods that are live, by name; null: whole hours from the warehouse. */
export const PERIODS = {
  '5m': 300,
  '15m': 900,
  '30m': 1_800,
  '1h': 3_600,
  '24h': null,
  custom: null,
} as const;
export type PeriodName = keyof typeof PERIODS;
export const COMPARES = ['previous', 'weekday', 'none'] as const;
export type Compare = (typeof COMPARES)[number];
/** `kiosk`: for a wall, only what goes on now, large. `embed`: the same for another page's frame. */
export const VIEWS = ['page', 'kiosk', 'embed'] as const;
export type ViewName = (typeof VIEWS)[number];
const FILTERS = ['merchant', 'payment', 'category'] as const satisfies readonly LiveFilter['by'][];

export interface Address {
  /** Undefined where the address does not say: as remembered, or as the browser has it. */
  readonly lang: string | undefined;
  readonly theme: string | undefined;
  readonly currency: string | undefined;
  readonly period: PeriodName;
  /** Whole hours, epoch ms; of `custom` only. */
  readonly from: number;
  readonly to: number;
  readonly compare: Compare;
  readonly filter: LiveFilter | null;
  readonly paused: boolean;
  readonly view: ViewName;
  /** Ids of the tables that are open. */
  readonly tables: readonly string[];
}

const LIVE_DEFAULT = '15m';
const TABLES_MAX = 30;

/** Whole hours that hold what was asked for, at most HISTORY_HOURS_MAX of them; null where that is no time at all. */
export function wholeHours(from: number, to: number): { readonly from: number; readonly to: number } | null {
  if (!(from > 0) || !(to > from) || to > 253_402_300_000_000) return null;
  const last = Math.ceil(to / HOUR_MS) * HOUR_MS;
  return {
    from: Math.max(Math.floor(from / HOUR_MS) * HOUR_MS, last - HISTORY_HOURS_MAX * HOUR_MS),
    to: last,
  };
}

const isPeriod = (text: string | null): text is PeriodName => text !== null && Object.hasOwn(PERIODS, text);

/** What the address says; what it says wrong counts as not said. */
export function parseAddress(search: string): Address {
  const query = new URLSearchParams(search);
  const text = (name: string): string | undefined => query.get(name) ?? undefined;
  const hours = wholeHours(Date.parse(text('from') ?? ''), Date.parse(text('to') ?? ''));
  const asked = query.get('window');
  const period = !isPeriod(asked) ? LIVE_DEFAULT : asked === 'custom' && hours === null ? '24h' : asked;
  const by = FILTERS.find((name) => text(name));
  const of = by === undefined ? '' : text(by)!;
  const isFilter = by !== undefined && (by !== 'merchant' || /^\d{1,15}$/.test(of));
  return {
    lang: text('lang'),
    theme: text('theme'),
    currency: text('currency'),
    period,
    from: period === 'custom' ? hours!.from : 0,
    to: period === 'custom' ? hours!.to : 0,
    compare: COMPARES.find((each) => each === text('compare')) ?? 'previous',
    filter: isFilter ? { by, of } : null,
    paused: text('paused') === '1',
    view: VIEWS.find((each) => each === text('view')) ?? 'page',
    tables: (text('tables') ?? '').split(' ').filter(Boolean).slice(0, TABLES_MAX),
  };
}

/** `2026-03-01T10:00Z` */
const minute = (ms: number): string => `${new Date(ms).toISOString().slice(0, 16)}Z`;

/** The address as a query, without what is as it would be anyway; parameters that are not ours stay. */
export function addressQuery(address: Address, search = ''): string {
  const query = new URLSearchParams(search);
  const custom = address.period === 'custom';
  const values: Record<string, string | undefined> = {
    lang: address.lang,
    theme: address.theme,
    currency: address.currency,
    window: address.period === LIVE_DEFAULT ? undefined : address.period,
    from: custom ? minute(address.from) : undefined,
    to: custom ? minute(address.to) : undefined,
    compare: address.compare === 'previous' ? undefined : address.compare,
    ...Object.fromEntries(
      FILTERS.map((name) => [name, address.filter?.by === name ? address.filter.of : undefined]),
    ),
    paused: address.paused ? '1' : undefined,
    view: address.view === 'page' ? undefined : address.view,
    tables: address.tables.length === 0 ? undefined : address.tables.join(' '),
  };
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

/** What the stream is asked for; while whole hours are shown it goes on for the state and the names. */
export const liveScope = ({ period, filter }: Address): LiveScope => ({
  period_s: PERIODS[period] ?? PERIODS[LIVE_DEFAULT],
  filter,
});
