import { useMemo } from 'preact/hooks';
import type { LiveHistory } from '../../../../contracts/live.ts';
import { currency, formats, texts, warehouse, warehouseDown } from '../state.ts';
import { BarChart } from './bar-chart.tsx';
import type { Bar } from './bar-plot.ts';

const HOUR_MS = 3_600_000;

/** One bar an hour, hours without a sale included; the newest is open. */
function hourBars(
  history: LiveHistory,
  code: string,
  value: (hour: LiveHistory['hours'][number]) => number,
): Bar[] {
  const byHour = new Map(
    history.hours.filter((hour) => hour.currency === code).map((hour) => [hour.hour, hour]),
  );
  return Array.from({ length: (history.to - history.from) / HOUR_MS }, (_, index) => {
    const start = history.from + index * HOUR_MS;
    const hour = byHour.get(start);
    const end = start + HOUR_MS;
    return { start, end, open: end === history.to, revision: 0, value: hour === undefined ? 0 : value(hour) };
  });
}

function Totals({ history }: { history: LiveHistory }) {
  const t = texts.value;
  const f = formats.value;
  const { totals } = history;
  const when = (at: number | null): string => (at === null ? '–' : f.dateTime(at));
  const rows = [
    ['events', t.events, f.count(totals.events)],
    ['transactions', t.transactions, f.count(totals.transactions)],
    ['behaviors', t.behaviors, f.count(totals.behaviors)],
    ['customers', t.customers, f.count(totals.customers)],
    ['active-days', t.activeDays, f.count(totals.active_days)],
    ['first-event', t.firstEvent, when(totals.first_event_at)],
    ['last-event', t.lastEventAt, when(totals.last_event_at)],
  ];
  return (
    <div class="holds">
      <h3>{t.holds}</h3>
      <dl class="totals">
        {rows.map(([name, label, value]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd data-figure={`total-${name}`}>{value}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Charts({ history }: { history: LiveHistory }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const revenue = useMemo(() => hourBars(history, code, (hour) => hour.gross_minor), [history, code]);
  const orders = useMemo(() => hourBars(history, code, (hour) => hour.completed), [history, code]);
  const common = {
    of: t.hour,
    syncKey: 'history',
    formatX: f.clockShort,
    bounds: ({ start, end }: Bar) => `${f.clockShort(start)} – ${f.clockShort(end)}`,
  };
  return (
    <div class="charts">
      <BarChart
        {...common}
        title={t.revenueByHour(code)}
        bars={revenue}
        color="--revenue"
        height={150}
        format={(value) => f.money(value, code)}
        formatAxis={(value) => f.countShort(value / 100)}
      />
      <BarChart
        {...common}
        title={t.ordersByHour}
        bars={orders}
        color="--orders"
        height={110}
        format={f.count}
        formatAxis={f.countShort}
      />
    </div>
  );
}

/** The warehouse: totals of everything it holds, and the last day by hour. */
export function HistoryPanel() {
  const t = texts.value;
  const history = warehouse.value;
  const note = history === null ? t.historyWait : t.historyNote(formats.value.clock(history.server_time));
  return (
    <section class="history" aria-labelledby="history-title">
      <div class="section-head">
        <h2 id="history-title">{t.warehouse}</h2>
        <p class={warehouseDown.value ? 'note warn' : 'note'} role="status">
          {warehouseDown.value ? t.historyDown : note}
        </p>
      </div>
      {history?.totals.events === 0 && <p class="sub">{t.warehouseEmpty}</p>}
      {history !== null && history.totals.events > 0 && (
        <>
          <Totals history={history} />
          {history.hours.length > 0 && <Charts history={history} />}
        </>
      )}
    </section>
  );
}
