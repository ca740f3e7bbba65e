// What the dashboard's server and its page say to each other: snapshot, stream, history, health. Imports nothing:
// the page is built from this file alone.

export const API = {
  snapshot: '/api/v1/snapshot',
  stream: '/api/v1/stream',
  history: '/api/v1/history',
  people: '/api/v1/people',
  feed: '/api/v1/feed',
  health: '/api/v1/health',
  reconciliation: '/api/v1/reconciliation',
  replay: '/api/v1/dead-letters/replay',
  alerts: '/api/v1/alerts',
  session: '/api/v1/session',
} as const;

/** `/api/v1/session`: who asks. Made by POST of `{name, password}`, ended by DELETE; 401: nobody who has signed in. */
export interface LiveSession {
  /** null: nobody must sign in. */
  readonly name: string | null;
  readonly role: 'viewer' | 'operator';
  /** The customer_id whose data alone they see; null: the whole shop. */
  readonly merchant: number | null;
}

/** Length of a window (contracts/metrics.ts). */
export const LIVE_WINDOW_MS = 30_000;
/** Lengths of the live period one may ask for, seconds. */
export const LIVE_PERIODS_S = [300, 900, 1_800, 3_600] as const;
export const LIVE_PERIOD_S_DEFAULT = 900;
/** The server holds the longest period and the one before it. */
export const LIVE_SPAN_MS = 2 * 3_600_000;
/** A heartbeat comes at least this often, whatever happens. */
export const HEARTBEAT_MS = 5_000;
/** A page that heard nothing for this long calls itself stale. */
export const STALE_AFTER_MS = 12_000;
/** A stage that said nothing for this long is silent. */
export const SILENT_AFTER_MS = 10_000;
/** A stage that has been trying again for this long is a problem; a shorter blip is not. */
export const RETRYING_AFTER_MS = 5_000;
/** Hours that `/api/v1/history` answers for. */
export const HISTORY_HOURS_MAX = 744;

const SALES_FIGURES = [
  'placed',
  'buyers',
  'completed_entered',
  'completed_entered_minor',
  'completed_left',
  'completed_left_minor',
  'pending_entered',
  'pending_entered_minor',
  'failed_entered',
  'failed_entered_minor',
  'refunded_entered',
  'refunded_entered_minor',
] as const;

/** The metrics that travel window by window, and which of their figures. */
export const LIVE_FIGURES = {
  transactions: SALES_FIGURES,
  transactions_by_merchant: SALES_FIGURES,
  transactions_by_payment: SALES_FIGURES,
  products_by_category: ['sales', 'buyers', 'gross_minor', 'quantity', 'reversals_minor'],
  behavior: ['count'],
  carts: ['count', 'value_minor'],
} as const satisfies Readonly<Record<string, readonly string[]>>;
export type LiveMetric = keyof typeof LIVE_FIGURES;

/**
 * Which sales the series is about. Sales are counted by merchant, by payment method and by category, never by two of
 * them at once, so there is one filter at a time. `of`: a customer_id, a payment method, a category.
 */
export interface LiveFilter {
  readonly by: 'merchant' | 'payment' | 'category';
  readonly of: string;
}

/**
 * What a stream or snapshot is about: the last `period_s` of event time with everything, and the same length before
 * it with the series alone (the metric that SERIES_OF names, of the filter's group), to compare with.
 */
export interface LiveScope {
  readonly period_s: number;
  readonly filter: LiveFilter | null;
  /** The viewer may see this merchant alone: the series travels, and nothing else. */
  readonly own?: true;
}

/** The metric and the group field that a filter stands for; without a filter it is `transactions`. */
export const SERIES_OF = {
  merchant: { metric: 'transactions_by_merchant', field: 'customer_id' },
  payment: { metric: 'transactions_by_payment', field: 'payment_method' },
  category: { metric: 'products_by_category', field: 'category' },
} as const satisfies Record<LiveFilter['by'], { metric: LiveMetric; field: string }>;

/** Whether a value belongs to the scope's series (in any currency). */
export const isSeries = ({ filter }: LiveScope, value: Pick<LiveValue, 'metric' | 'group'>): boolean => {
  if (filter === null) return value.metric === 'transactions';
  const { metric, field } = SERIES_OF[filter.by];
  return value.metric === metric && String(value.group[field]) === filter.of;
};

/** The scope as a query: `period=900&merchant=7`. */
export const scopeQuery = ({ period_s, filter }: LiveScope): string => {
  const query = new URLSearchParams({ period: String(period_s) });
  if (filter !== null) query.set(filter.by, filter.of);
  return query.toString();
};

/** One window of one group: absolute figures, money in minor units. A later message replaces it whole. */
export interface LiveValue {
  readonly metric: LiveMetric;
  readonly group: Readonly<Record<string, string | number | null>>;
  /** Inclusive and exclusive bound, epoch ms of event time. */
  readonly window_start: number;
  readonly window_end: number;
  readonly state: 'open' | 'closed';
  /** How many times it changed after it was closed. */
  readonly revision: number;
  readonly values: Readonly<Record<string, number | null>>;
}

/** What a stage says of itself (contracts/stage-health.ts), all its processes in one, as it travels. */
export interface LiveStage {
  readonly stage: string;
  /** Processes that do its work; absent where there is one. */
  readonly instances?: number;
  /** Processes that wait to take over; absent where there is none, or nobody else. */
  readonly standby?: number;
  readonly state: 'starting' | 'standby' | 'running' | 'retrying' | 'stopped' | 'failed';
  readonly at: number;
  readonly lag: number | null;
  readonly lag_unit: 'records' | 'bytes';
  readonly newest_at: number | null;
  readonly processed: number;
  readonly errors: number;
  readonly dead_letters: number;
  readonly last_error: string | null;
  readonly figures: Readonly<Record<string, number>>;
}

export interface LiveProduct {
  readonly currency: string;
  readonly product_id: number | null;
  readonly name: string | null;
  readonly category: string | null;
  /** Charged price x quantity and pieces, of completed sales. */
  readonly gross_minor: number;
  readonly quantity: number;
}

export interface LiveTerm {
  readonly term: string;
  readonly count: number;
  readonly without_result: number;
}

/**
 * Sums over the period of what has too many groups to travel window by window: the first RANKS_MAX. Made anew at most
 * once a second; a later one replaces it whole.
 */
export interface LiveRankings {
  /** Bounds of the windows they are made of, epoch ms: the newest one is open. */
  readonly from: number;
  readonly to: number;
  /**
   * The first by revenue and the first by pieces, of each currency; of the filter's category alone if it names one.
   * Absent, as are searches, for a viewer of one merchant: they are not counted so.
   */
  readonly products?: readonly LiveProduct[];
  readonly searches?: {
    readonly count: number;
    readonly without_result: number;
    readonly top: readonly LiveTerm[];
    readonly top_without_result: readonly LiveTerm[];
  };
  /** Merchants with sales in what the server holds, by name. */
  readonly merchants: readonly { readonly customer_id: number; readonly name: string }[];
}
export const RANKS_MAX = 10;
export const MERCHANTS_MAX = 500;

/** Stream event `change`: whatever changed since the message before. */
export interface LiveChange {
  /** The server's clock when this was written, epoch ms. */
  readonly server_time: number;
  /** Newest event counted in any window the page shows, by the shop's clock; null before the first. */
  readonly newest_event_time: number | null;
  /** Newest commit in the shop counted in them: server_time minus this is how old the page's numbers are. */
  readonly newest_committed_at: number | null;
  /** Windows that start before this may be missing: not counted by anybody, or expired. Null: nothing is known. */
  readonly known_from: number | null;
  readonly values: readonly LiveValue[];
  readonly stages: readonly LiveStage[];
  /** Whether records wait in any stage: for a viewer of one merchant, who is told no stages. */
  readonly waiting?: boolean;
  /** Absent where they did not change. */
  readonly rankings?: LiveRankings;
}

/** `/api/v1/snapshot`, and stream event `snapshot`: everything the page shows; replaces all it had. */
export interface LiveSnapshot extends LiveChange {
  readonly scope: LiveScope;
  readonly version: string;
  readonly profile: string;
  readonly main_currency: string;
}

/** Stream event `heartbeat`: nothing changed, but the server is there. It has no id. */
export interface LiveHeartbeat {
  readonly server_time: number;
}

/** A shop whose clock is further from ours than this runs on a simulated clock. */
const SIMULATED_MS = 600_000;

/** Whether event time is not our time. */
export const isSimulated = (newestEventTime: number, newestCommittedAt: number): boolean =>
  Math.abs(newestCommittedAt - newestEventTime) > SIMULATED_MS;

/** More of the shop's log than this waits when capture is behind: some is always on its way. */
const WAITING_BYTES = 1 << 20;

/** Whether records wait in a stage. */
export const isWaiting = ({ lag, lag_unit }: Pick<LiveStage, 'lag' | 'lag_unit'>): boolean =>
  (lag ?? 0) > (lag_unit === 'bytes' ? WAITING_BYTES : 0);

/** Key of a value: what a later message with the same key replaces. */
export const liveKey = (value: Pick<LiveValue, 'metric' | 'group' | 'window_start'>): string =>
  `${value.metric}|${JSON.stringify(Object.values(value.group))}|${value.window_start}`;

export interface LiveHistoryHour {
  /** Start of the hour (UTC), epoch ms. */
  readonly hour: number;
  readonly currency: string;
  readonly completed: number;
  readonly gross_minor: number;
  readonly reversals: number;
  readonly reversals_minor: number;
  readonly pending: number;
  readonly failed: number;
  readonly refunded: number;
}

export interface LiveTotals {
  readonly events: number;
  readonly transactions: number;
  readonly behaviors: number;
  readonly customers: number;
  readonly active_days: number;
  readonly first_event_at: number | null;
  readonly last_event_at: number | null;
}

/** `/api/v1/history`: hours that hold anything in [from, to), and the whole warehouse's totals. */
export interface LiveHistory {
  readonly server_time: number;
  readonly from: number;
  readonly to: number;
  /** The merchant it is about; null for all. `activity` and `totals` are always about all. */
  readonly customer_id: number | null;
  /** The warehouse's first event: what is before it is not known. */
  readonly known_from: number | null;
  readonly hours: readonly LiveHistoryHour[];
  readonly activity: readonly {
    readonly hour: number;
    readonly event_type: string;
    readonly events: number;
  }[];
  /** null for a viewer of one merchant, who gets no `activity` either. */
  readonly totals: LiveTotals | null;
}

/**
 * Why the system is not well. `retrying`: for over RETRYING_AFTER_MS; `silent`: no report for SILENT_AFTER_MS;
 * `missing`: never reported, or only processes that stand by did, for SILENT_AFTER_MS.
 */
export interface LiveProblem {
  readonly stage: string;
  readonly problem: 'failed' | 'stopped' | 'retrying' | 'silent' | 'missing';
  readonly detail: string;
}

/**
 * `/api/v1/health`: status 200 when ok, 503 otherwise (`starting`: no stage has reported yet). Whoever may not see the
 * whole shop gets `status` and `server_time` only.
 */
export interface LiveHealth {
  readonly status: 'ok' | 'starting' | 'unwell';
  readonly server_time: number;
  readonly version: string;
  readonly profile: string;
  readonly newest_event_time: number | null;
  readonly newest_committed_at: number | null;
  readonly problems: readonly LiveProblem[];
  readonly stages: readonly LiveStage[];
}

/** Every answer that is not 2xx. */
export interface LiveError {
  readonly error: string;
  readonly message: string;
}
