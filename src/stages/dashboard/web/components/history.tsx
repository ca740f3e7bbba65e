import { useMemo } from 'preact/hooks';
import type { LiveHistory, LiveTotals } from '../../../../contracts/live.ts';
import { daySlots, hourSlots } from '../hours.ts';
import { address, formats, texts } from '../settings.ts';
import { currency } from '../state.ts';
import { hours, hoursBefore, isLong, month, warehouseDown } from '../warehouse.ts';
import { filterName } from './choices.tsx';
import { HeatMap } from './heat-map.tsx';
import { HourCharts } from './hour-charts.tsx';
import { Info } from './info.tsx';
import { thanHours, Unfiltered } from './period.tsx';
import { SheetView } from './sheet-view.tsx';

function Totals({ totals }: { totals: LiveTotals }) {
  const t = texts.value;
  const f = formats.value;
  const when = (at: number | null): string => (at === null ? '–' : f.dateTime(at));
  const rows = [
    ['events', t.events, totals.events, f.count(totals.events)],
    ['transactions', t.transactions, totals.transactions, f.count(totals.transactions)],
    ['behaviors', t.behaviors, totals.behaviors, f.count(totals.behaviors)],
    ['customers', t.customers, totals.customers, f.count(totals.customers)],
    ['active-days', t.activeDays, totals.active_days, f.count(totals.active_days)],
    ['first-event', t.firstEvent, totals.first_event_at, when(totals.first_event_at)],
    ['last-event', t.lastEventAt, totals.last_event_at, when(totals.last_event_at)],
  ] as const;
  return (
    <div class="holds">
      <h3>
        {t.holds} <Info of="totals" name={t.holds} />
      </h3>
      <dl class="totals">
        {rows.map(([name, label, , value]) => (
          <div key={name}>
            <dt>{label}</dt>
            <dd data-figure={`total-${name}`}>{value}</dd>
          </div>
        ))}
      </dl>
      <SheetView
        sheet={{
          id: 'totals',
          title: t.holds,
          columns: [
            { name: 'name', label: null, kind: 'text' },
            { name: 'figure', label: t.figure, kind: 'text' },
            { name: 'value', label: t.value, kind: 'text' },
          ],
          rows: () =>
            rows.map(([name, label, value]) => [
              name,
              label,
              value !== null && name.endsWith('event') ? new Date(value).toISOString() : value,
            ]),
        }}
      />
    </div>
  );
}

function Hours({ read }: { read: LiveHistory }) {
  const before = hoursBefore.value;
  const code = currency.value;
  const slots = useMemo(() => hourSlots(read, before, code), [read, before, code]);
  return <HourCharts id="day" slots={slots} by="hour" than={thanHours()} height={150} />;
}

function Days({ read }: { read: LiveHistory }) {
  const code = currency.value;
  const days = useMemo(() => daySlots(read, code), [read, code]);
  return <HourCharts id="days" slots={days} by="day" than={null} height={120} />;
}

/** The days stand beside the totals while the hours are at the top of the page. */
function Weeks({ read }: { read: LiveHistory }) {
  const t = texts.value;
  return (
    <div class={isLong.value ? 'weeks alone' : 'weeks'}>
      <div class="section-head weeks-head">
        <h3>{t.fourWeeks}</h3>
        <p class="note">{t.readAt(formats.value.clock(read.server_time))}</p>
      </div>
      <HeatMap read={read} />
      {!isLong.value && <Days read={read} />}
    </div>
  );
}

/** The warehouse: totals of everything it holds, the last day by hour, four weeks by day and as a heat map. */
export function HistoryPanel() {
  const t = texts.value;
  const read = hours.value;
  const weeks = month.value;
  const note = read === null ? t.historyWait : t.historyNote(formats.value.clock(read.server_time));
  const hasEvents = read !== null && read.known_from !== null;
  const isMerchant = address.value.filter?.by === 'merchant';
  return (
    <section class="history" aria-labelledby="history-title">
      <div class="section-head">
        <h2 id="history-title">{isMerchant ? `${t.warehouse}: ${filterName()}` : t.warehouse}</h2>
        <p class={warehouseDown.value ? 'note warn' : 'note'} role="status">
          {warehouseDown.value ? t.historyDown : note}
        </p>
      </div>
      <Unfiltered />
      {read?.known_from === null && <p class="sub">{t.warehouseEmpty}</p>}
      {hasEvents && (
        <>
          {read.totals !== null && <Totals totals={read.totals} />}
          {!isLong.value && read.hours.length > 0 && <Hours read={read} />}
          {isLong.value && weeks !== null && <Days read={weeks} />}
        </>
      )}
      {hasEvents && weeks !== null && <Weeks read={weeks} />}
    </section>
  );
}
