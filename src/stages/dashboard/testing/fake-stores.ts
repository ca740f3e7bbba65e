// Stores in memory, for the dashboard's own tests and its benchmark.
import { type MetricValue, metricKey, metricVersion } from '../../../contracts/metric-value.ts';
import { healthKey, type StageHealth } from '../../../contracts/stage-health.ts';
import type { MetricsChange, MetricsStore } from '../../../stores/metrics-store/metrics-store.ts';
import type {
  HistoryPoint,
  LatestSale,
  People,
  WarehouseTotals,
} from '../../../stores/warehouse/warehouse.ts';
import { MERCHANTS, shopPeople } from './fake-shop.ts';

export type FakeMetricsStore = Pick<
  MetricsStore,
  'write' | 'range' | 'writeHealth' | 'health' | 'subscribe'
> & {
  /** The next reads reject with this, until it is null again. */
  fault: Error | null;
};

export function fakeMetricsStore(): FakeMetricsStore {
  const values = new Map<string, MetricValue>();
  const healths = new Map<string, StageHealth>();
  const listeners = new Set<(change: MetricsChange) => void>();
  const tell = (change: MetricsChange): void => {
    for (const listener of listeners) listener(change);
  };
  const store: FakeMetricsStore = {
    fault: null,
    async write(batch) {
      const newer = batch.filter((value) => {
        const known = values.get(metricKey(value));
        return known === undefined || metricVersion(known) < metricVersion(value);
      });
      for (const value of newer) values.set(metricKey(value), value);
      if (newer.length > 0) tell({ values: newer, health: [] });
      return newer.length;
    },
    async range(metric, fromMs, toMs) {
      if (store.fault !== null) throw store.fault;
      return [...values.values()].filter(
        (value) => value.metric === metric && value.window_start >= fromMs && value.window_start < toMs,
      );
    },
    async writeHealth(batch) {
      for (const health of batch) healths.set(healthKey(health), health);
      tell({ values: [], health: batch });
    },
    async health() {
      if (store.fault !== null) throw store.fault;
      return [...healths.values()];
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  return store;
}

export interface FakeWarehouse {
  points: HistoryPoint[];
  /** Calls of `history`, with what was asked. */
  readonly asked: {
    readonly fromMs: number;
    readonly toMs: number;
    readonly customerId: number | undefined;
  }[];
  /** As `asked`, of `people`. */
  readonly askedPeople: FakeWarehouse['asked'][number][];
  /** Whom `people` tells of. */
  shopPeople: (fromMs: number, toMs: number, customerId?: number) => People;
  /** Newest first. */
  sales: LatestSale[];
  fault: Error | null;
  latestSales(max: number, customerId?: number): Promise<readonly LatestSale[]>;
  people(fromMs: number, toMs: number, customerId?: number): Promise<People>;
  productViews(
    fromMs: number,
    toMs: number,
    max: number,
  ): Promise<readonly { productId: number; views: number }[]>;
  history(fromMs: number, toMs: number, customerId?: number): Promise<readonly HistoryPoint[]>;
  activity(
    fromMs: number,
    toMs: number,
  ): Promise<readonly { hour: number; eventType: string; events: number }[]>;
  totals(): Promise<WarehouseTotals>;
}

export function fakeWarehouse(points: HistoryPoint[] = []): FakeWarehouse {
  const warehouse: FakeWarehouse = {
    points,
    sales: [],
    asked: [],
    askedPeople: [],
    shopPeople,
    fault: null,
    async history(fromMs, toMs, customerId) {
      warehouse.asked.push({ fromMs, toMs, customerId });
      if (warehouse.fault !== null) throw warehouse.fault;
      return warehouse.points.filter((point) => point.hour >= fromMs && point.hour < toMs);
    },
    async people(fromMs, toMs, customerId) {
      warehouse.askedPeople.push({ fromMs, toMs, customerId });
      if (warehouse.fault !== null) throw warehouse.fault;
      return warehouse.shopPeople(fromMs, toMs, customerId);
    },
    productViews: async (_from, _to, max) =>
      Array.from({ length: Math.min(12, max) }, (_, index) => ({
        productId: index + 1,
        views: 240 - 13 * index,
      })),
    latestSales: async (max, customerId) => {
      if (warehouse.fault !== null) throw warehouse.fault;
      return warehouse.sales
        .filter(({ customerName }) => customerId === undefined || customerName === MERCHANTS[customerId - 1])
        .slice(0, max);
    },
    activity: async () => [],
    async totals() {
      const transactions = warehouse.points.reduce((sum, point) => sum + point.completed + point.failed, 0);
      const hours = warehouse.points.map((point) => point.hour);
      return {
        events: transactions * 3,
        transactions,
        behaviors: transactions * 2,
        customers: transactions === 0 ? 0 : 50,
        activeDays: new Set(hours.map((hour) => Math.floor(hour / 86_400_000))).size,
        firstEventAt: hours.length === 0 ? null : Math.min(...hours),
        lastEventAt: hours.length === 0 ? null : Math.max(...hours) + 3_000_000,
      };
    },
  };
  return warehouse;
}
