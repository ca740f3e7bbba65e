import { useMemo } from 'preact/hooks';
import type { Slot } from '../hours.ts';
import { formats, texts } from '../settings.ts';
import { currency } from '../state.ts';
import { BarChart } from './bar-chart.tsx';
import type { Bar } from './bar-plot.ts';

/** Two figures of a slot as a bar; an average of nothing is nothing. */
const barOf = (slot: Slot, value: number, before: number | null): Bar => ({
  start: slot.start,
  end: slot.end,
  open: slot.open,
  revision: 0,
  value,
  before,
});

const average = (minor: number | null, orders: number | null): number | null =>
  minor === null || orders === null || orders === 0 ? null : minor / orders;

export interface HourChartsProps {
  readonly id: string;
  readonly slots: readonly Slot[];
  readonly by: 'hour' | 'day';
  readonly than: string | null;
  readonly height: number;
}

function useBars(slots: readonly Slot[]) {
  return useMemo(
    () => ({
      revenue: slots.map((slot) => barOf(slot, slot.revenueMinor, slot.beforeMinor)),
      orders: slots.map((slot) => barOf(slot, slot.orders, slot.beforeOrders)),
      average: slots.map((slot) =>
        barOf(
          slot,
          average(slot.revenueMinor, slot.orders) ?? 0,
          average(slot.beforeMinor, slot.beforeOrders),
        ),
      ),
    }),
    [slots],
  );
}

/** Revenue, orders and their average by hour or by day. */
export function HourCharts({ id, slots, by, than, height }: HourChartsProps) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const bars = useBars(slots);
  const isLong = (slots.at(-1)?.end ?? 0) - (slots[0]?.start ?? 0) > 2 * 86_400_000;
  const hasBefore = slots.some(({ beforeMinor }) => beforeMinor !== null);
  const words = by === 'hour' ? t.byHour : t.byDay;
  const common = {
    of: by === 'hour' ? t.hour : t.day,
    syncKey: id,
    than: hasBefore ? than : null,
    formatX: by === 'day' || isLong ? f.day : f.clockShort,
    bounds: ({ start, end }: Bar) =>
      by === 'day' ? f.day(start) : `${f.day(start)} ${f.clockShort(start)} – ${f.clockShort(end)}`,
  };
  const money = {
    ...common,
    color: '--revenue',
    currency: code,
    format: (value: number) => f.money(Math.round(value), code),
    formatAxis: (value: number) => f.countShort(value / 100),
  };
  return (
    <div class="charts">
      <BarChart
        {...money}
        id={`${id}-revenue`}
        title={words.revenue(code)}
        info="hourRevenue"
        bars={bars.revenue}
        height={height}
      />
      <BarChart
        {...common}
        id={`${id}-orders`}
        title={words.orders}
        info="hourOrders"
        bars={bars.orders}
        color="--orders"
        currency={null}
        height={Math.round(height * 0.7)}
        format={f.count}
        formatAxis={f.countShort}
      />
      <BarChart
        {...money}
        id={`${id}-average`}
        title={words.average(code)}
        info="average"
        bars={bars.average}
        height={Math.round(height * 0.6)}
      />
    </div>
  );
}
