import { useMemo } from 'preact/hooks';
import { currency, formats, language, model, now, texts } from '../state.ts';
import type { View, WindowView } from '../view.ts';
import { BarChart } from './bar-chart.tsx';
import type { Bar } from './bar-plot.ts';

const barsOf = (windows: readonly WindowView[], value: (window: WindowView) => number): Bar[] =>
  windows.map((window) => ({
    start: window.start,
    end: window.end,
    open: window.open,
    revision: window.revision,
    value: value(window),
  }));

function Legend() {
  const t = texts.value;
  return (
    <ul class="legend" aria-hidden="true">
      <li class="is-closed">{t.legendClosed}</li>
      <li class="is-open">{t.legendOpen}</li>
      <li class="is-revised">{t.legendRevised}</li>
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

function Headline({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const committedAt = model.value?.newestCommittedAt ?? null;
  const { newest, lastClosed } = view;
  const revenue = f.money(view.revenueMinor, code);
  return (
    <div class="headline">
      <h3 id="revenue-title">{t.revenueOf(code)}</h3>
      <p class="hero" data-figure="revenue" style={{ '--chars': revenue.length }}>
        {revenue}
      </p>
      <p class="sub">
        {view.netMinor === view.revenueMinor ? t.netSame : t.net(f.money(view.netMinor, code))}
      </p>
      <div class="two-windows">
        {newest !== undefined && <OneWindow name="open-revenue" kind="open" window={newest} />}
        {lastClosed !== undefined && <OneWindow name="closed-revenue" kind="closed" window={lastClosed} />}
      </div>
      {committedAt !== null && <p class="note">{t.updated(f.age(now.value - committedAt))}</p>}
    </div>
  );
}

/** The last ten minutes in real 30 s windows. */
export function Now({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { windows } = view;
  const revenue = useMemo(() => barsOf(windows, ({ revenueMinor }) => revenueMinor), [windows]);
  const sales = useMemo(() => barsOf(windows, (window) => window.sales), [windows]);
  const common = {
    of: t.window,
    syncKey: 'now',
    formatX: f.clockShort,
    bounds: ({ start, end }: Bar) => f.bounds(start, end),
  };
  return (
    <section class="now" aria-labelledby="now-title" lang={language.value}>
      <div class="section-head">
        <h2 id="now-title">{t.lastTenMinutes}</h2>
        <p class="note">{t.windowsTo(f.clock(view.newest?.end ?? 0))}</p>
        <Legend />
      </div>
      <Headline view={view} />
      <div class="charts">
        <BarChart
          {...common}
          title={t.revenueIn(code)}
          bars={revenue}
          color="--revenue"
          height={190}
          format={(value) => f.money(value, code)}
          formatAxis={(value) => f.countShort(value / 100)}
        />
        <BarChart
          {...common}
          title={t.completedSales}
          bars={sales}
          color="--orders"
          height={120}
          format={f.count}
          formatAxis={f.countShort}
        />
      </div>
    </section>
  );
}
