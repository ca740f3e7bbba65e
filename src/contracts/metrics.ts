// What is measured, as data. The embedded engine interprets it; the Spark engine turns it into SQL.
import { TOPICS } from './topics.ts';

export const WINDOW_MS = 30_000;
/** A window closes when the newest event time minus this passes its end. */
export const WATERMARK_DELAY_MS = 10_000;
/** An event up to this much older than the watermark still revises its window; older ones are counted too late. */
export const REPAIR_HORIZON_MS = 3_600_000;
/** An event dated more than this ahead of its capture is quarantined. */
export const FUTURE_LIMIT_MS = 60_000;
/** How long the metrics store keeps a value (the original's TTL). */
export const METRICS_TTL_MS = 3_600_000;
/** Texts that are grouped, shown or counted as distinct: the first so many characters; the rest is not looked at. */
export const METRIC_TEXT_CHARS_MAX = 256;
/** Groups a definition may have in one window; what comes beyond them is counted in the group `(other)`. */
export const GROUPS_MAX = 10_000;
export const OTHER_GROUP = '(other)';

/** All conditions must hold. A missing field is null, and null satisfies only `is: null` (as in SQL). */
export type Condition =
  | { readonly field: string; readonly is: string | number | boolean | null }
  | { readonly field: string; readonly in: readonly (string | number)[] }
  | { readonly field: string; readonly notIn: readonly (string | number)[] };

/** `sum`, `min` and `max` are over integer fields (null counts as nothing); `distinct` is exact. */
export type Aggregate =
  | { readonly fn: 'count'; readonly where?: readonly Condition[] }
  | {
      readonly fn: 'sum' | 'min' | 'max' | 'distinct';
      readonly field: string;
      readonly where?: readonly Condition[];
    };

/** A figure made of aggregates when the value is written. `difference`: a - b. `ratio`: a / b, null when b is 0. */
export type Derived = {
  readonly fn: 'ratio' | 'difference';
  readonly of: readonly [string, string];
};

export interface MetricDefinition {
  readonly name: string;
  readonly topics: readonly string[];
  /** Which events it takes at all. */
  readonly where?: readonly Condition[];
  readonly groupBy: readonly string[];
  /** Text fields shown with the group: the greatest text seen in the window, so that order never matters. */
  readonly labels?: readonly string[];
  readonly windowMs: number;
  readonly aggregates: Readonly<Record<string, Aggregate>>;
  /** In order: a later one may use an earlier one. */
  readonly derived?: Readonly<Record<string, Derived>>;
}

/** Ops that change a sale's own ledger entry (`items_changed` does not). */
const HEADER_OPS = ['placed', 'status_changed', 'amended', 'deleted', 'withdrawn', 'restated'];
/** Everything else in `status` is a status of the shop's own that we do not know: the ledger `other`. */
const NOT_OTHER = ['completed', 'pending', 'failed', 'refunded', 'cancelled', 'deleted', 'withdrawn'];

const ledger = (name: string, entered: readonly Condition[], left: readonly Condition[]) =>
  ({
    [`${name}_entered`]: { fn: 'count', where: entered },
    [`${name}_left`]: { fn: 'count', where: left },
    [`${name}_entered_minor`]: { fn: 'sum', field: 'total_amount_minor', where: entered },
    [`${name}_left_minor`]: { fn: 'sum', field: 'previous_total_amount_minor', where: left },
  }) satisfies Record<string, Aggregate>;

const statusLedger = (status: string) =>
  ledger(status, [{ field: 'status', is: status }], [{ field: 'previous_status', is: status }]);

/** Statuses whose entries, reversals and net are kept apart: what `status --verify` compares. */
export const LEDGER_STATUSES = ['completed', 'pending', 'failed', 'refunded', 'cancelled', 'other'] as const;

const completed: readonly Condition[] = [{ field: 'status', is: 'completed' }];

const SALES = {
  topics: [TOPICS.transactions.name],
  where: [{ field: 'op', in: HEADER_OPS }],
  windowMs: WINDOW_MS,
  aggregates: {
    placed: { fn: 'count', where: [{ field: 'op', is: 'placed' }] },
    min_minor: { fn: 'min', field: 'total_amount_minor', where: completed },
    max_minor: { fn: 'max', field: 'total_amount_minor', where: completed },
    buyers: { fn: 'distinct', field: 'buyer_id', where: completed },
    ...statusLedger('completed'),
    ...statusLedger('pending'),
    ...statusLedger('failed'),
    ...statusLedger('refunded'),
    ...statusLedger('cancelled'),
    ...ledger(
      'other',
      [{ field: 'status', notIn: NOT_OTHER }],
      [{ field: 'previous_status', notIn: NOT_OTHER }],
    ),
  },
  derived: {
    net_minor: { fn: 'difference', of: ['completed_entered_minor', 'completed_left_minor'] },
    average_minor: { fn: 'ratio', of: ['completed_entered_minor', 'completed_entered'] },
  },
} as const satisfies Omit<MetricDefinition, 'name' | 'groupBy'>;

const itemCompleted: readonly Condition[] = [{ field: 'transaction_status', is: 'completed' }];
const itemLeft: readonly Condition[] = [{ field: 'previous_transaction_status', is: 'completed' }];

const ITEMS = {
  topics: [TOPICS.transactionItems.name],
  windowMs: WINDOW_MS,
  aggregates: {
    /** Items of completed sales: how many, what was charged (price x quantity), how many pieces. */
    sales: { fn: 'count', where: itemCompleted },
    gross_minor: { fn: 'sum', field: 'amount_minor', where: itemCompleted },
    quantity: { fn: 'sum', field: 'quantity', where: itemCompleted },
    buyers: { fn: 'distinct', field: 'buyer_id', where: itemCompleted },
    products: { fn: 'distinct', field: 'product_id', where: itemCompleted },
    reversals: { fn: 'count', where: itemLeft },
    reversals_minor: { fn: 'sum', field: 'previous_amount_minor', where: itemLeft },
    reversals_quantity: { fn: 'sum', field: 'previous_quantity', where: itemLeft },
  },
  derived: {
    net_minor: { fn: 'difference', of: ['gross_minor', 'reversals_minor'] },
    average_minor: { fn: 'ratio', of: ['gross_minor', 'sales'] },
  },
} as const satisfies Omit<MetricDefinition, 'name' | 'groupBy'>;

const recorded: readonly Condition[] = [{ field: 'op', is: 'recorded' }];

export const METRICS: readonly MetricDefinition[] = [
  { name: 'transactions', groupBy: ['currency'], ...SALES },
  {
    name: 'transactions_by_merchant',
    groupBy: ['currency', 'customer_id'],
    labels: ['customer_name'],
    ...SALES,
  },
  { name: 'transactions_by_payment', groupBy: ['currency', 'payment_method'], ...SALES },
  { name: 'products_by_category', groupBy: ['currency', 'category'], ...ITEMS },
  { name: 'products', groupBy: ['currency', 'product_id'], labels: ['product_name', 'category'], ...ITEMS },
  {
    name: 'behavior',
    topics: [TOPICS.userBehavior.name, TOPICS.searches.name, TOPICS.cartEvents.name],
    where: recorded,
    groupBy: ['interaction_type'],
    windowMs: WINDOW_MS,
    aggregates: { count: { fn: 'count' }, sessions: { fn: 'distinct', field: 'session_id' } },
  },
  {
    name: 'searches',
    topics: [TOPICS.searches.name],
    where: recorded,
    groupBy: ['search_query'],
    windowMs: WINDOW_MS,
    aggregates: {
      count: { fn: 'count' },
      without_result: { fn: 'count', where: [{ field: 'results_count', is: 0 }] },
      sessions: { fn: 'distinct', field: 'session_id' },
    },
  },
  {
    name: 'carts',
    topics: [TOPICS.cartEvents.name],
    where: recorded,
    groupBy: ['currency', 'event_type'],
    windowMs: WINDOW_MS,
    aggregates: {
      count: { fn: 'count' },
      value_minor: { fn: 'sum', field: 'cart_total_minor' },
      sessions: { fn: 'distinct', field: 'session_id' },
    },
  },
];
