// A shop that never was: the same figures for the same seed, shaped like what the metrics stage writes.
import type { MetricValue } from '../../../contracts/metric-value.ts';
import { WATERMARK_DELAY_MS, WINDOW_MS } from '../../../contracts/metrics.ts';
import type { LiveReport } from '../../../contracts/reconciliation.ts';
import type { StageHealth } from '../../../contracts/stage-health.ts';
import { type Random, seededRandom } from '../../../lib/random.ts';
import type { HistoryPoint, People } from '../../../stores/warehouse/warehouse.ts';

const CATEGORIES = ['Electronics', 'Clothing', 'Books', 'Home', 'Toys'] as const;
const PRICE_MINOR: Readonly<Record<string, number>> = {
  Electronics: 21_900,
  Clothing: 4_200,
  Books: 1_900,
  Home: 6_400,
  Toys: 2_600,
};
const INTERACTIONS = [
  ['website_visit', 40],
  ['product_inquiry', 25],
  ['search_query', 15],
  ['purchase_intent', 15],
  ['cart_abandonment', 5],
] as const;

/** Counters of one window of one group. */
type Figures = Record<string, number>;

const value = (
  metric: string,
  group: MetricValue['group'],
  start: number,
  figures: Figures,
  nowMs: number,
): MetricValue => {
  const closed = start + WINDOW_MS + WATERMARK_DELAY_MS <= nowMs;
  const newest = Math.min(nowMs, start + WINDOW_MS - 1);
  return {
    metric,
    group,
    labels: {},
    window_start: start,
    window_end: start + WINDOW_MS,
    values: figures,
    events: Object.values(figures).reduce((sum, figure) => sum + figure, 1),
    state: closed ? 'closed' : 'open',
    revision: closed && (start / WINDOW_MS) % 7 === 3 ? 2 : 0,
    newest_event_time: newest,
    newest_committed_at: newest,
  };
};

function sales(
  random: Random,
  count: number,
  scale: number,
): { total: Figures; categories: Map<string, Figures> } {
  const total: Figures = { placed: count, buyers: Math.min(count, 100 - Math.floor(600 / (count + 6))) };
  const categories = new Map<string, Figures>();
  const add = (figures: Figures, name: string, by: number): void => {
    figures[name] = (figures[name] ?? 0) + by;
  };
  for (let sale = 0; sale < count; sale++) {
    const category = random.weighted([
      [CATEGORIES[0], 4],
      [CATEGORIES[1], 9],
      [CATEGORIES[2], 8],
      [CATEGORIES[3], 3],
      [CATEGORIES[4], 5],
    ]);
    const quantity = random.int(1, 3);
    const amount = Math.round(PRICE_MINOR[category]! * scale * (0.8 + random.next() * 0.4)) * quantity;
    const status = random.weighted([
      ['completed', 85],
      ['pending', 10],
      ['failed', 5],
    ] as const);
    add(total, `${status}_entered`, 1);
    add(total, `${status}_entered_minor`, amount);
    if (status !== 'completed') continue;
    if (random.next() < 0.02) {
      for (const name of ['refunded_entered', 'completed_left']) add(total, name, 1);
      for (const name of ['refunded_entered_minor', 'completed_left_minor']) add(total, name, amount);
    }
    const figures = categories.get(category) ?? {};
    categories.set(category, figures);
    add(figures, 'sales', 1);
    add(figures, 'gross_minor', amount);
    add(figures, 'quantity', quantity);
  }
  return { total, categories };
}

/** All values of the window that starts there, as they stand at `nowMs` (its share of the window has passed). */
export function shopWindow(start: number, nowMs: number, perSecond = 7, currencies = ['USD']): MetricValue[] {
  const passed = Math.max(0, Math.min(1, (nowMs - start) / WINDOW_MS));
  const values: MetricValue[] = [];
  for (const [index, currency] of currencies.entries()) {
    const random = seededRandom(`${start}/${currency}`);
    const wave = 1 + 0.35 * Math.sin(start / 97_000) + random.next() * 0.25;
    const count = Math.floor((perSecond * wave * passed * (WINDOW_MS / 1000)) / (1 + index * 3));
    if (count === 0) continue;
    const { total, categories } = sales(random, count, index === 0 ? 1 : 0.9);
    values.push(value('transactions', { currency }, start, total, nowMs));
    for (const [category, figures] of categories)
      values.push(value('products_by_category', { currency, category }, start, figures, nowMs));
  }
  const random = seededRandom(`${start}/behavior`);
  for (const [type, weight] of INTERACTIONS) {
    const count = Math.floor(perSecond * passed * weight * (0.15 + random.next() * 0.05));
    if (count > 0) values.push(value('behavior', { interaction_type: type }, start, { count }, nowMs));
  }
  return values;
}

/** The last `windows` windows up to now, oldest first. */
export function shopWindows(
  nowMs: number,
  windows: number,
  perSecond = 7,
  currencies = ['USD'],
): MetricValue[] {
  const newest = Math.floor(nowMs / WINDOW_MS) * WINDOW_MS;
  return Array.from({ length: windows }, (_, index) => newest - (windows - 1 - index) * WINDOW_MS).flatMap(
    (start) => shopWindow(start, nowMs, perSecond, currencies),
  );
}

const PAYMENTS = ['Credit Card', 'PayPal', 'Cash'] as const;
/** customer_id is the place in the list, from 1. */
export const MERCHANTS = ['Casa Luna', 'Norte Libros', 'Verde Hogar'] as const;
const SEARCHES = ['shoes', 'lamp', 'red coat', 'unicorn saddle'] as const;
const CARTS = [
  ['add_to_cart', 30],
  ['remove_from_cart', 9],
  ['checkout', 12],
  ['cart_abandonment', 8],
] as const;

/** What the metrics stage counts in more detail, of one window: by payment, merchant and product, carts, searches. */
function shopDetail(start: number, nowMs: number, currency: string): MetricValue[] {
  const random = seededRandom(`${start}/${currency}/detail`);
  const sales = (share: number): Figures => {
    const count = Math.floor((30 + random.next() * 30) * share);
    const minor = count * 4_950;
    return { placed: count + 1, completed_entered: count, completed_entered_minor: minor, buyers: count };
  };
  const labelled = (labels: MetricValue['labels'], ...of: Parameters<typeof value>): MetricValue => ({
    ...value(...of),
    labels,
  });
  return [
    ...PAYMENTS.map((payment_method, index) =>
      value('transactions_by_payment', { currency, payment_method }, start, sales(1 / (index + 1)), nowMs),
    ),
    ...MERCHANTS.map((customer_name, index) => {
      const group = { currency, customer_id: index + 1 };
      const figures = sales(1 / (index + 2));
      return labelled({ customer_name }, 'transactions_by_merchant', group, start, figures, nowMs);
    }),
    ...Array.from({ length: 14 }, (_, index) => {
      const quantity = random.int(1, 30 - index);
      const figures = { sales: quantity, quantity, gross_minor: quantity * (900 + 700 * index) };
      const labels = { product_name: `Product ${index + 1}`, category: CATEGORIES[index % 5]! };
      return labelled(labels, 'products', { currency, product_id: index + 1 }, start, figures, nowMs);
    }),
    ...CARTS.map(([event_type, weight]) => {
      const count = Math.floor(weight * (0.8 + random.next() * 0.4));
      return value('carts', { currency, event_type }, start, { count, value_minor: count * 7_300 }, nowMs);
    }),
  ];
}

/** As `shopWindows`, for what is counted in more detail. */
export function shopDetails(nowMs: number, windows: number, currencies = ['USD']): MetricValue[] {
  const newest = Math.floor(nowMs / WINDOW_MS) * WINDOW_MS;
  return Array.from({ length: windows }, (_, index) => newest - (windows - 1 - index) * WINDOW_MS).flatMap(
    (start) => [
      ...currencies.flatMap((currency) => shopDetail(start, nowMs, currency)),
      ...SEARCHES.map((search_query, index) => {
        const count = 9 - 2 * index;
        const without_result = index === 3 ? count : 0;
        return value('searches', { search_query }, start, { count, without_result }, nowMs);
      }),
    ],
  );
}

export const SHOP_STAGES = [
  'generator',
  'capture',
  'enrichment',
  'loader',
  'metrics',
  'publisher',
  'dashboard',
];

/** A report of each stage, all well. */
export function shopHealth(nowMs: number): StageHealth[] {
  return SHOP_STAGES.map((stage, index) => ({
    stage,
    state: 'running',
    at: nowMs,
    lag: stage === 'capture' ? 2_048 : index % 3,
    lag_unit: stage === 'capture' ? 'bytes' : 'records',
    newest_at: nowMs - 20 - index * 9,
    processed: Math.floor(nowMs / 1000) % 1_000_000,
    errors: 0,
    dead_letters: stage === 'loader' ? 2 : 0,
    last_error: null,
    figures: stage === 'metrics' ? { late: 14, too_late: 1, quarantined: 3 } : {},
  }));
}

/** Hourly history up to now, shaped like a shop's day. */
export function shopHistory(nowMs: number, hours: number, currencies = ['USD']): HistoryPoint[] {
  const newest = Math.floor(nowMs / 3_600_000) * 3_600_000;
  return Array.from({ length: hours }, (_, index) => newest - (hours - 1 - index) * 3_600_000).flatMap(
    (hour) =>
      currencies.map((currency, index) => {
        const random = seededRandom(`${hour}/${currency}`);
        const ofDay = new Date(hour).getUTCHours();
        const wave =
          0.25 + Math.exp(-(((ofDay - 20) / 4.5) ** 2)) + 0.6 * Math.exp(-(((ofDay - 12) / 3.5) ** 2));
        const completed = Math.floor((6_000 * wave * (0.9 + random.next() * 0.2)) / (1 + index * 3));
        const reversals = Math.floor(completed * 0.02);
        return {
          hour,
          currency,
          completed,
          grossMinor: completed * 9_850,
          reversals,
          reversalsMinor: reversals * 9_850,
          pending: Math.floor(completed * 0.1),
          failed: Math.floor(completed * 0.05),
          refunded: reversals,
        };
      }),
  );
}

/** A comparison of all places in which nothing differs; `lost`: so many sales that the warehouse does not have. */
export function fakeReport(at: number, lost = 0): LiveReport {
  const row = (what: string, left: string, right: string, rows: number, minor: number, gone = 0) => ({
    what,
    left,
    right,
    verdict: gone === 0 ? ('agree' as const) : ('differ' as const),
    left_rows: rows,
    right_rows: rows - gone,
    left_minor: minor,
    right_minor: minor - gone * 4_950,
    differing: gone === 0 ? 0 : 1,
    notes: [],
  });
  return {
    verdict: lost === 0 ? 'agree' : 'differ',
    at,
    took_ms: 1_900,
    comparisons: [
      row('sales', 'shop', 'log', 20_412, 101_039_400),
      row('items', 'shop', 'log', 45_630, 101_039_400),
      row('visits', 'shop', 'log', 8_747, 0),
      row('sales', 'log', 'warehouse', 20_412, 101_039_400, lost),
      row('sales', 'log', 'windows', 20_412, 101_039_400),
    ],
    changes: 119_803,
    repeats: 0,
    dead_letters: { 'loader unreadable': 3, 'capture too_large': 1 },
    notes: [],
  };
}

/** People of a range, more in the newer of two; one merchant has a third of them. */
export function shopPeople(fromMs: number, toMs: number, customerId?: number): People {
  const minutes = (toMs - fromMs) / 60_000;
  const newer = 1 + (Math.floor(fromMs / 1_000) % 97) / 1_000;
  const of = (perMinute: number): number =>
    Math.round((perMinute * minutes * newer) / (customerId === undefined ? 1 : 3));
  return {
    sessions: of(246),
    viewed: of(31),
    carted: of(14),
    checkedOut: of(7),
    bought: of(220),
    cartedOfViewed: of(12),
    checkedOutOfCarted: of(7),
    boughtOfCheckedOut: of(6),
    money: [
      {
        currency: 'USD',
        cartMinor: of(14) * 7_300,
        checkoutMinor: of(7) * 8_100,
        boughtMinor: of(220) * 9_850,
        boughtOfCheckedOutMinor: of(6) * 7_900,
        abandoned: of(5),
        abandonedMinor: of(5) * 6_400,
      },
    ],
    sessionlessSales: 0,
    buyers: of(18),
    newBuyers: of(4),
  };
}
