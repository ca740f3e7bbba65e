import { useMemo } from 'preact/hooks';
import type { LiveHistory } from '../../../../contracts/live.ts';
import { comparedSlots, hourSlots, sumsOf } from '../hours.ts';
import { ownMerchant } from '../session.ts';
import { address, formats, texts } from '../settings.ts';
import { currency } from '../state.ts';
import { hours, hoursBefore, warehouseDown } from '../warehouse.ts';
import { averages, Change } from './change.tsx';
import { filterName } from './choices.tsx';
import { HourCharts } from './hour-charts.tsx';
import { Info } from './info.tsx';
import { Legend } from './now.tsx';
import { Stat } from './stats.tsx';

/** The words for what whole hours are compared with; null where nothing is. */
export function thanHours(): string | null {
  const { compare } = address.value;
  return compare === 'none' ? null : texts.value.thanHours[compare];
}

/** A filter that the warehouse keeps no hours of does not hold here, and that is said. */
export function Unfiltered() {
  const { filter } = address.value;
  if (filter === null || filter.by === 'merchant') return null;
  return <p class="note warn unfiltered">{texts.value.notByHour(texts.value.by[filter.by])}</p>;
}

function Figures({ read, before }: { read: LiveHistory; before: LiveHistory | null }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const slots = useMemo(() => hourSlots(read, before, code), [read, before, code]);
  const sums = useMemo(() => sumsOf(read, code), [read, code]);
  const than = thanHours();
  const compared = than === null ? null : comparedSlots(slots);
  const revenue = f.money(sums.revenueMinor, code);
  const note = t.readAt(f.clock(read.server_time));
  return (
    <>
      <div class="headline">
        <h3>
          {t.revenueIn(code)} <Info of="hourRevenue" name={t.revenueIn(code)} />
        </h3>
        <p class="hero" data-figure="period-revenue" style={{ '--chars': revenue.length }}>
          {revenue}
        </p>
        <p class="sub">
          {sums.netMinor === sums.revenueMinor ? t.netSame : t.net(f.money(sums.netMinor, code))}
        </p>
        {than !== null && (
          <p class="sub" data-figure="period-change">
            {compared === null ? t.notComparable(null) : <Change of={compared.revenueMinor} than={than} />}
          </p>
        )}
        <dl class="period-stats">
          <Stat
            name="period-orders"
            label={t.orders}
            info="hourOrders"
            value={f.count(sums.orders)}
            note={note}
          >
            <Change of={compared?.orders ?? null} than={than ?? ''} />
          </Stat>
          <Stat
            name="period-average"
            label={t.average}
            info="average"
            value={sums.orders === 0 ? '–' : f.money(Math.round(sums.revenueMinor / sums.orders), code)}
            note={note}
          >
            <Change of={averages(compared?.revenueMinor, compared?.orders)} than={than ?? ''} />
          </Stat>
          <Stat
            name="period-apart"
            label={t.notRevenue}
            info="notRevenue"
            value={f.count(sums.pending + sums.failed + sums.refunded)}
            note={t.apart(f.count(sums.pending), f.count(sums.failed), f.count(sums.refunded))}
          />
        </dl>
      </div>
      <HourCharts id="hours" slots={slots} by="hour" than={than} height={190} />
    </>
  );
}

/** Whole hours of the warehouse, in place of the live windows. */
export function Period() {
  const t = texts.value;
  const f = formats.value;
  const read = hours.value;
  const { filter, period } = address.value;
  const isMerchant = filter?.by === 'merchant';
  const title = period === '24h' ? t.last24 : t.chosenHours;
  return (
    <section class="now" aria-labelledby="period-title" aria-busy={read === null}>
      <div class="section-head">
        <h2 id="period-title">{isMerchant ? `${title}: ${filterName()}` : title}</h2>
        <p class={warehouseDown.value ? 'note warn' : 'note'} role="status">
          {warehouseDown.value
            ? t.historyDown
            : read === null
              ? t.historyWait
              : t.hoursNote(f.dateTime(read.from), f.dateTime(read.to))}
        </p>
        <Legend before={hoursBefore.value !== null} />
      </div>
      <Unfiltered />
      {read !== null && <Figures read={read} before={hoursBefore.value} />}
      {ownMerchant.value === null && <p class="note long-note">{t.liveOnly}</p>}
    </section>
  );
}
