// The other places' own sums, in the form they are compared in.
import type { Accounting, LedgerSums } from '../../stages/metrics/engine.ts';
import type { ShopSums } from '../../stores/shop/shop-accounting.ts';
import type { Warehouse } from '../../stores/warehouse/warehouse.ts';
import { keyOf, plainDay, type Sums, Totals } from './sums.ts';

export function shopSide({ sums }: ShopSums): Sums {
  const totals = new Totals();
  for (const { key, rows, minor, digest } of sums) totals.add(key, rows, minor, digest);
  return totals.sums;
}

export interface WarehouseSide {
  readonly sales: Sums;
  readonly items: Sums;
  readonly events: Sums;
}

type WarehouseSums = Awaited<ReturnType<Warehouse['accounting']>>;

export function warehouseSide({ ledger, events }: WarehouseSums): WarehouseSide {
  const side = { sales: new Totals(), items: new Totals(), events: new Totals() };
  for (const { kind, day, currency, status, rows, amountMinor, digest } of ledger) {
    const totals = kind === 'transaction' ? side.sales : side.items;
    totals.add(keyOf(day, currency, status), rows, amountMinor, BigInt(digest));
  }
  for (const { day, eventType, rows } of events) side.events.add(keyOf(day, eventType), rows);
  return { sales: side.sales.sums, items: side.items.sums, events: side.events.sums };
}

export interface WindowsSide {
  readonly sales: Sums;
  readonly items: Sums;
  readonly behavior: Sums;
  readonly records: Sums;
}

/** Windows, and what came too late for them or waits for its time: together they are the log. */
export function windowsSide({ windows, tooLate, quarantined, events }: Accounting): WindowsSide {
  const side = { sales: new Totals(), items: new Totals(), behavior: new Totals(), records: new Totals() };
  for (const sums of [windows, tooLate, quarantined]) addWindows(side, sums);
  for (const { day, topic, count } of events) side.records.add(keyOf(plainDay(day), topic), count);
  return {
    sales: side.sales.sums,
    items: side.items.sums,
    behavior: side.behavior.sums,
    records: side.records.sums,
  };
}

function addWindows(side: Readonly<Record<keyof WindowsSide, Totals>>, sums: LedgerSums): void {
  for (const row of sums.sales) {
    const group = [plainDay(row.day), row.currency, row.status];
    side.sales.add(keyOf(...group, 'entered'), row.entered, row.enteredMinor);
    side.sales.add(keyOf(...group, 'left'), row.left, row.leftMinor);
  }
  for (const row of sums.items) {
    const group = [plainDay(row.day), row.currency];
    side.items.add(keyOf(...group, 'entered'), row.sales, row.grossMinor);
    side.items.add(keyOf(...group, 'left'), row.reversals, row.reversalsMinor);
  }
  for (const { day, interactionType, count } of sums.behavior) {
    side.behavior.add(keyOf(plainDay(day), interactionType), count);
  }
}
