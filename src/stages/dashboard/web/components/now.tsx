import { useMemo } from 'preact/hooks';
import { localDay, sumsOf } from '../hours.ts';
import { address, formats, language, texts } from '../settings.ts';
import { currency, model, now } from '../state.ts';
import type { View, WindowView } from '../view.ts';
import { hours } from '../warehouse.ts';
import { BarChart } from './bar-chart.tsx';
import type { Bar } from './bar-plot.ts';
import { Change } from './change.tsx';
import { filterName } from './choices.tsx';
import { Info } from './info.tsx';

const barOf = ({ start, end, open, revision }: WindowView, value: number, before: number | null): Bar => ({
  start,
  end,
  open,
  revision,
  value,
  before,
});

/** The words for what live figures are compared with; null where nothing is. */
export const thanOf = (view: View): string | null =>
  address.value.compare === 'none' ? null : texts.value.than(texts.value.minutes(view.periodMs / 60_000));

export function Legend({ before }: { before: boolean }) {
  const t = texts.value;
  return (
    <ul class="legend" aria-hidden="true">
      <li class="is-closed">{t.legendClosed}</li>
      <li class="is-open">{t.legendOpen}</li>
      <li class="is-revised">{t.legendRevised}</li>
      {before && <li class="is-before">{t.legendBefore}</li>}
    </ul>
  );
}

function OneWindow(props: { name: string; kind: 'open' | 'closed'; window: WindowView }) {
  const t = texts.value;
  const f = formats.value;
  const { start, end, revenueMinor, revision } = props.window;
  return (
    <div class={`one-window is-${props.kind}`}>
      <p class="big" data-figure={props.name}>
        {f.money(revenueMinor, currency.value)}
      </p>
      <p class="sub">
        {f.bounds(start, end)},{' '}
        {revision > 0 ? t.revised(revision) : props.kind === 'open' ? t.open : t.closed}
      </p>
    </div>
  );
}

/** Since midnight, from the warehouse: which keeps its hours by merchant, and by nothing else. */
function Today({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const read = hours.value;
  if (read === null || (view.filter !== null && view.filter.by !== 'merchant')) return null;
  const { revenueMinor } = sumsOf(read, currency.value, localDay(read.server_time));
  return (
    <p class="sub today">
      {t.today} <strong data-figure="today">{f.money(revenueMinor, currency.value)}</strong>
      <Info of="today" name={t.today} /> <span class="note">{t.readAt(f.clock(read.server_time))}</span>
    </p>
  );
}

function Headline({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const committedAt = model.value?.newestCommittedAt ?? null;
  const { newest, lastClosed, filter } = view;
  const revenue = f.money(view.revenueMinor, code);
  const than = thanOf(view);
  const title = t.revenueOf(code, t.minutes(view.periodMs / 60_000));
  return (
    <div class="headline">
      <h3 id="revenue-title">
        {title} <Info of={filter?.by === 'category' ? 'itemRevenue' : 'revenue'} name={title} />
      </h3>
      <p class="hero" data-figure="revenue" style={{ '--chars': revenue.length }}>
        {revenue}
      </p>
      <p class="sub">
        {view.netMinor === view.revenueMinor ? t.netSame : t.net(f.money(view.netMinor, code))}
      </p>
      {than !== null && (
        <p class="sub" data-figure="revenue-change">
          {view.compared === null ? (
            t.notComparable(view.knownFrom === null ? null : f.clock(view.knownFrom))
          ) : (
            <Change of={view.compared.revenueMinor} than={than} />
          )}
        </p>
      )}
      <div class="two-windows">
        {newest !== undefined && <OneWindow name="open-revenue" kind="open" window={newest} />}
        {lastClosed !== undefined && <OneWindow name="closed-revenue" kind="closed" window={lastClosed} />}
      </div>
      <Today view={view} />
      {committedAt !== null && <p class="note">{t.updated(f.age(now.value - committedAt))}</p>}
    </div>
  );
}

function useBars(windows: readonly WindowView[], isCompared: boolean) {
  const before = (value: number | null): number | null => (isCompared ? value : null);
  return useMemo(
    () => ({
      revenue: windows.map((each) => barOf(each, each.revenueMinor, before(each.beforeMinor))),
      sales: windows.map((each) => barOf(each, each.sales, before(each.beforeSales))),
    }),
    [windows, isCompared],
  );
}

/** The chosen minutes in real 30 s windows. */
export function Now({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { windows, filter } = view;
  const than = thanOf(view);
  const isItems = filter?.by === 'category';
  const hasBefore = than !== null && windows.some(({ beforeMinor }) => beforeMinor !== null);
  const { revenue, sales } = useBars(windows, than !== null);
  const common = {
    of: t.window,
    syncKey: 'now',
    than: hasBefore ? than : null,
    formatX: f.clockShort,
    bounds: ({ start, end }: Bar) => f.bounds(start, end),
  };
  const minutes = t.minutes(view.periodMs / 60_000);
  return (
    <section class="now" aria-labelledby="now-title" lang={language.value}>
      <div class="section-head">
        <h2 id="now-title">{filter === null ? t.last(minutes) : t.lastOf(minutes, filterName())}</h2>
        <p class="note">{t.windowsTo(windows.length, f.clock(view.newest?.end ?? 0))}</p>
        <Legend before={hasBefore} />
      </div>
      <Headline view={view} />
      <div class="charts">
        <BarChart
          {...common}
          id="revenue"
          title={t.revenueIn(code)}
          info={isItems ? 'itemRevenue' : 'revenue'}
          bars={revenue}
          color="--revenue"
          height={190}
          currency={code}
          format={(value) => f.money(value, code)}
          formatAxis={(value) => f.countShort(value / 100)}
        />
        <BarChart
          {...common}
          id="sales"
          title={isItems ? t.items : t.completedSales}
          info={isItems ? 'items' : 'sales'}
          bars={sales}
          color="--orders"
          height={120}
          currency={null}
          format={f.count}
          formatAxis={f.countShort}
        />
      </div>
    </section>
  );
}
