import { useMemo } from 'preact/hooks';
import type { LiveHistory } from '../../../../contracts/live.ts';
import { type HeatCell, heatOf } from '../hours.ts';
import { formats, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { currency } from '../state.ts';
import { Info } from './info.tsx';
import { Scroll } from './scroll.tsx';
import { SheetView } from './sheet-view.tsx';

const HOURS = Array.from({ length: 24 }, (_, hour) => hour);
/** Every third hour is named. */
const NAMED = 3;

function sheetOf(heat: readonly (readonly HeatCell[])[], code: string): Sheet {
  const t = texts.value;
  const f = formats.value;
  return {
    id: 'heat',
    title: t.heat,
    currency: code,
    columns: [
      { name: 'weekday', label: t.weekday, kind: 'text' },
      { name: 'hour', label: t.hour, kind: 'count' },
      { name: 'mean_revenue', label: t.meanRevenue, kind: 'money' },
      { name: 'mean_orders', label: t.meanOrders, kind: 'count' },
      { name: 'hours', label: t.hoursSeen, kind: 'count' },
    ],
    rows: () =>
      heat.flatMap((cells, day) =>
        cells.map((cell, hour) => [f.weekday(day), hour, cell.revenueMinor, cell.orders, cell.hours]),
      ),
  };
}

/** Mean revenue of an hour by weekday and hour of the day, in the reader's zone. Each cell says its figure. */
export function HeatMap({ read }: { read: LiveHistory }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const heat = useMemo(() => heatOf(read, code), [read, code]);
  const highest = Math.max(1, ...heat.flat().map(({ revenueMinor }) => revenueMinor ?? 0));
  const says = ({ revenueMinor, hours }: HeatCell): string =>
    revenueMinor === null ? t.noHours : t.heatCell(f.money(Math.round(revenueMinor), code), hours);
  return (
    <div class="chart heat">
      <div class="chart-head">
        <h3>{t.heat}</h3>
        <Info of="heat" name={t.heat} />
      </div>
      <Scroll label={t.heat}>
        <table>
          <thead>
            <tr>
              <td />
              {HOURS.map((hour) => (
                <th key={hour} scope="col">
                  <span class={hour % NAMED === 0 ? undefined : 'sr'}>{hour}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {heat.map((cells, day) => (
              <tr key={f.weekday(day)}>
                <th scope="row">{f.weekday(day)}</th>
                {cells.map((cell, hour) => (
                  <td
                    key={HOURS[hour]}
                    title={`${f.weekday(day)} ${hour}:00, ${says(cell)}`}
                    data-known={cell.revenueMinor !== null}
                    style={{ '--heat': `${Math.round(((cell.revenueMinor ?? 0) / highest) * 100)}%` }}
                  >
                    <span class="sr">{says(cell)}</span>
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <p class="note heat-scale">
        {f.money(0, code)} <span aria-hidden="true" /> {f.money(Math.round(highest), code)}
      </p>
      <SheetView sheet={sheetOf(heat, code)} />
    </div>
  );
}
