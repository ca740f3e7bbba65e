// Metrics with too many groups to travel window by window: what the page shows of them are sums over a period.
import {
  type LiveProduct,
  type LiveRankings,
  type LiveScope,
  type LiveTerm,
  MERCHANTS_MAX,
  RANKS_MAX,
} from '../../../contracts/live.ts';
import { groupKey, type MetricValue, metricVersion } from '../../../contracts/metric-value.ts';
import { OTHER_GROUP, WINDOW_MS } from '../../../contracts/metrics.ts';

/** The longest period. */
const HELD_MS = 3_600_000;
/** Groups held over all windows; the oldest windows go first. */
const GROUPS_HELD_MAX = 100_000;

/** Metrics that are held here. */
export const RANKED_METRICS = ['products', 'searches'] as const;
type RankedMetric = (typeof RANKED_METRICS)[number];
const isRanked = (metric: string): metric is RankedMetric =>
  (RANKED_METRICS as readonly string[]).includes(metric);

/** Two figures of one group of one window. */
interface Held {
  readonly version: number;
  readonly group: MetricValue['group'];
  readonly labels: MetricValue['labels'];
  readonly first: number;
  readonly second: number;
}

const FIGURES: Readonly<Record<RankedMetric, readonly [string, string]>> = {
  products: ['gross_minor', 'quantity'],
  searches: ['count', 'without_result'],
};

export interface LiveRanking {
  /** Takes a value that is newer than what there is. Whether it was. */
  apply(value: MetricValue): boolean;
  /** Sums over the windows of the scope's period that ends with the window starting there. */
  rankings(scope: LiveScope, newestStart: number): Required<LiveRankings>;
  /** For a viewer of one merchant: its name, and nothing of the whole shop. */
  own(scope: LiveScope, newestStart: number): LiveRankings;
}

type Windows = Map<number, Map<string, Held>>;

/** A group's sums over windows. */
interface Sum {
  readonly group: Held['group'];
  readonly labels: Held['labels'];
  first: number;
  second: number;
}

function sumsOf(windows: Windows, from: number, to: number, wanted: (held: Held) => boolean): Sum[] {
  const sums = new Map<string, Sum>();
  for (const [start, groups] of windows) {
    if (start < from || start >= to) continue;
    for (const [key, held] of groups) {
      if (!wanted(held)) continue;
      const sum = sums.get(key);
      if (sum === undefined) {
        sums.set(key, { group: held.group, labels: held.labels, first: held.first, second: held.second });
        continue;
      }
      sum.first += held.first;
      sum.second += held.second;
    }
  }
  return [...sums.values()];
}

const first = <T>(items: readonly T[], by: (item: T) => number): readonly T[] =>
  items
    .filter((item) => by(item) > 0)
    .sort((a, b) => by(b) - by(a))
    .slice(0, RANKS_MAX);

function productsOf(sums: readonly Sum[]): readonly LiveProduct[] {
  const products = sums.map(({ group, labels, first: gross, second: quantity }): LiveProduct => {
    const id = group['product_id'];
    return {
      currency: String(group['currency']),
      product_id: typeof id === 'number' ? id : null,
      name: id === OTHER_GROUP ? OTHER_GROUP : (labels['product_name'] ?? null),
      category: labels['category'] ?? null,
      gross_minor: gross,
      quantity,
    };
  });
  const byCurrency = [...Map.groupBy(products, ({ currency }) => currency).values()];
  const ranked = byCurrency.flatMap((all) => [
    ...first(all, (product) => product.gross_minor),
    ...first(all, (product) => product.quantity),
  ]);
  return [...new Set(ranked)];
}

function searchesOf(sums: readonly Sum[]): Required<LiveRankings>['searches'] {
  const total = (by: (sum: Sum) => number): number => sums.reduce((all, sum) => all + by(sum), 0);
  const terms = sums
    .filter(({ group }) => group['search_query'] !== null)
    .map(
      ({ group, first: count, second }): LiveTerm => ({
        term: String(group['search_query']),
        count,
        without_result: second,
      }),
    );
  return {
    count: total((sum) => sum.first),
    without_result: total((sum) => sum.second),
    top: first(terms, ({ count }) => count),
    top_without_result: first(terms, ({ without_result }) => without_result),
  };
}

const bounds = (periodS: number, newestStart: number) => ({
  from: newestStart + WINDOW_MS - periodS * 1_000,
  to: newestStart + WINDOW_MS,
});

const named = (merchants: Iterable<readonly [number, string]>): LiveRankings['merchants'] =>
  [...merchants]
    .map(([customer_id, name]) => ({ customer_id, name: name === '' ? `#${customer_id}` : name }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));

/** Holds the last hour of products and searches, and the names of the merchants that were seen. */
export function liveRanking(): LiveRanking {
  const held: Record<RankedMetric, Windows> = { products: new Map(), searches: new Map() };
  const merchants = new Map<number, string>();
  let groups = 0;
  let newest = Number.NEGATIVE_INFINITY;

  const drop = (windows: Windows, start: number): void => {
    groups -= windows.get(start)?.size ?? 0;
    windows.delete(start);
  };

  const dropOld = (): void => {
    for (const windows of Object.values(held))
      for (const start of [...windows.keys()]) if (start < newest - HELD_MS) drop(windows, start);
    while (groups > GROUPS_HELD_MAX) {
      const oldest = Math.min(...Object.values(held).flatMap((windows) => [...windows.keys()]));
      if (oldest === newest) return;
      for (const windows of Object.values(held)) drop(windows, oldest);
    }
  };

  const applyMerchant = ({ group, labels }: MetricValue): boolean => {
    const id = group['customer_id'];
    const name = labels['customer_name'] ?? '';
    if (typeof id !== 'number' || merchants.get(id) === name) return false;
    if (!merchants.has(id) && merchants.size >= MERCHANTS_MAX) return false;
    merchants.set(id, name);
    return true;
  };

  const applyRanked = (metric: RankedMetric, value: MetricValue): boolean => {
    const { window_start: start } = value;
    if (start < newest - HELD_MS) return false;
    const windows = held[metric];
    const window = windows.get(start) ?? new Map<string, Held>();
    const key = groupKey(value.group);
    const version = metricVersion(value);
    const known = window.get(key);
    if (known !== undefined && known.version >= version) return false;
    if (known === undefined) groups += 1;
    windows.set(start, window);
    const [one, other] = FIGURES[metric];
    const { group, labels, values } = value;
    window.set(key, { version, group, labels, first: values[one] ?? 0, second: values[other] ?? 0 });
    if (start > newest || groups > GROUPS_HELD_MAX) {
      newest = Math.max(newest, start);
      dropOld();
    }
    return true;
  };

  return {
    apply(value) {
      if (value.metric === 'transactions_by_merchant') return applyMerchant(value);
      return isRanked(value.metric) && applyRanked(value.metric, value);
    },
    rankings({ period_s, filter }, newestStart) {
      const { from, to } = bounds(period_s, newestStart);
      const category = filter?.by === 'category' ? filter.of : null;
      const wanted = (product: Held): boolean =>
        category === null || String(product.labels['category']) === category;
      return {
        from,
        to,
        products: productsOf(sumsOf(held.products, from, to, wanted)),
        searches: searchesOf(sumsOf(held.searches, from, to, () => true)),
        merchants: named(merchants),
      };
    },
    own: ({ period_s, filter }, newestStart) => ({
      ...bounds(period_s, newestStart),
      merchants: named([...merchants].filter(([id]) => String(id) === filter?.of)),
    }),
  };
}
