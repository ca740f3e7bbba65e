// From the warehouse's hours to what is shown of them: by hour, by the reader's day, by weekday and hour of the day.
import type { LiveHistory, LiveHistoryHour } from '../../../contracts/live.ts';
import { HOUR_MS } from './address.ts';

export interface Slot {
  readonly start: number;
  readonly end: number;
  readonly open: boolean;
  readonly orders: number;
  readonly revenueMinor: number;
  readonly netMinor: number;
  /** The same slot of the range it is compared with; null without one. */
  readonly beforeMinor: number | null;
  readonly beforeOrders: number | null;
}

export interface Sums {
  readonly orders: number;
  readonly revenueMinor: number;
  readonly netMinor: number;
  readonly pending: number;
  readonly failed: number;
  readonly refunded: number;
}

const inCurrency = (history: LiveHistory, currency: string): readonly LiveHistoryHour[] =>
  history.hours.filter((hour) => hour.currency === currency);

export function sumsOf(history: LiveHistory, currency: string, from = history.from): Sums {
  const hours = inCurrency(history, currency).filter(({ hour }) => hour >= from);
  const sum = (of: (hour: LiveHistoryHour) => number): number =>
    hours.reduce((all, hour) => all + of(hour), 0);
  const revenueMinor = sum((hour) => hour.gross_minor);
  return {
    orders: sum((hour) => hour.completed),
    revenueMinor,
    netMinor: revenueMinor - sum((hour) => hour.reversals_minor),
    pending: sum((hour) => hour.pending),
    failed: sum((hour) => hour.failed),
    refunded: sum((hour) => hour.refunded),
  };
}

/** One slot an hour, hours without a sale included; the running one is open. */
export function hourSlots(
  history: LiveHistory,
  before: LiveHistory | null,
  currency: string,
): readonly Slot[] {
  const at = (of: LiveHistory) => new Map(inCurrency(of, currency).map((hour) => [hour.hour, hour]));
  const hours = at(history);
  const earlier = before === null ? null : at(before);
  return Array.from({ length: (history.to - history.from) / HOUR_MS }, (_, index) => {
    const start = history.from + index * HOUR_MS;
    const hour = hours.get(start);
    const other = before === null ? undefined : earlier?.get(before.from + index * HOUR_MS);
    const isCompared = before !== null && isKnown(before);
    return {
      start,
      end: start + HOUR_MS,
      open: start + HOUR_MS > history.server_time,
      orders: hour?.completed ?? 0,
      revenueMinor: hour?.gross_minor ?? 0,
      netMinor: (hour?.gross_minor ?? 0) - (hour?.reversals_minor ?? 0),
      beforeMinor: isCompared ? (other?.gross_minor ?? 0) : null,
      beforeOrders: isCompared ? (other?.completed ?? 0) : null,
    };
  });
}

/** Whether the warehouse's events begin before the range: else there is nothing to compare with. */
export const isKnown = ({ from, known_from }: LiveHistory): boolean =>
  known_from !== null && known_from <= from;

/** Sums of the closed slots, and of the same slots before; null where nothing is compared. */
export function comparedSlots(slots: readonly Slot[]): {
  readonly revenueMinor: readonly [number, number];
  readonly orders: readonly [number, number];
} | null {
  const closed = slots.filter(({ open, beforeMinor }) => !open && beforeMinor !== null);
  if (closed.length === 0) return null;
  const sum = (of: (slot: Slot) => number | null): number =>
    closed.reduce((all, slot) => all + (of(slot) ?? 0), 0);
  return {
    revenueMinor: [sum((slot) => slot.revenueMinor), sum((slot) => slot.beforeMinor)],
    orders: [sum((slot) => slot.orders), sum((slot) => slot.beforeOrders)],
  };
}

/** Start of the day that holds the instant, in the reader's zone; `days` later or earlier. */
export function localDay(ms: number, days = 0): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

/**
 * One slot a day of the reader's zone; an hour belongs to the day in which it begins. A first day that the range cuts
 * is left out: it would look poor.
 */
export function daySlots(history: LiveHistory, currency: string): readonly Slot[] {
  const slots: Slot[] = [];
  const byDay = Map.groupBy(hourSlots(history, null, currency), ({ start }) => localDay(start));
  for (const [start, hours] of byDay) {
    if (start < history.from) continue;
    const sum = (of: (slot: Slot) => number): number => hours.reduce((all, slot) => all + of(slot), 0);
    const end = localDay(start, 1);
    slots.push({
      start,
      end,
      open: end > history.server_time,
      orders: sum((slot) => slot.orders),
      revenueMinor: sum((slot) => slot.revenueMinor),
      netMinor: sum((slot) => slot.netMinor),
      beforeMinor: null,
      beforeOrders: null,
    });
  }
  return slots;
}

export interface HeatCell {
  /** Mean of the closed hours; null where none is known. */
  readonly revenueMinor: number | null;
  readonly orders: number | null;
  readonly hours: number;
}

/** Seven weekdays from Monday, 24 hours each, in the reader's zone. */
export function heatOf(history: LiveHistory, currency: string): readonly (readonly HeatCell[])[] {
  const firstAt = history.known_from ?? Number.POSITIVE_INFINITY;
  const slots = hourSlots(history, null, currency).filter(({ start, open }) => !open && start >= firstAt);
  const cells = Map.groupBy(slots, ({ start }) => {
    const date = new Date(start);
    return ((date.getDay() + 6) % 7) * 24 + date.getHours();
  });
  return Array.from({ length: 7 }, (_, day) =>
    Array.from({ length: 24 }, (_, hour): HeatCell => {
      const of = cells.get(day * 24 + hour) ?? [];
      const mean = (figure: (slot: Slot) => number): number | null =>
        of.length === 0 ? null : of.reduce((all, slot) => all + figure(slot), 0) / of.length;
      return {
        revenueMinor: mean((slot) => slot.revenueMinor),
        orders: mean((slot) => slot.orders),
        hours: of.length,
      };
    }),
  );
}
