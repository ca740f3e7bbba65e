import { currency, formats, texts } from '../state.ts';
import type { Counted, View } from '../view.ts';

const WINDOWS_PER_MINUTE = 2;

function Stat(props: { name: string; label: string; value: string; note: string }) {
  return (
    <div class="stat">
      <dt>{props.label}</dt>
      <dd>
        <span class="big" data-figure={props.name}>
          {props.value}
        </span>
        <span class="note">{props.note}</span>
      </dd>
    </div>
  );
}

function Apart(props: { name: string; label: string; counted: Counted }) {
  return (
    <div class="apart" data-status={props.name}>
      <dt>{props.label}</dt>
      <dd>
        <span class="mid" data-figure={props.name}>
          {formats.value.count(props.counted.count)}
        </span>
        <span class="note">{formats.value.money(props.counted.minor, currency.value)}</span>
      </dd>
    </div>
  );
}

/** Single figures: of the newest closed window where only a whole one can be exact, else of the ten minutes. */
export function Stats({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { lastClosed: closed, newest } = view;
  const closedNote = closed === undefined ? t.noClosed : t.closedWindow(f.bounds(closed.start, closed.end));
  return (
    <section class="stats" aria-label={t.figures}>
      <dl class="stat-row">
        <Stat name="sales" label={t.completedSales} value={f.count(view.sales)} note={t.tenMinutesOpen} />
        <Stat
          name="per-minute"
          label={t.perMinute}
          value={closed === undefined ? '–' : f.count(closed.sales * WINDOWS_PER_MINUTE)}
          note={closedNote}
        />
        <Stat
          name="average"
          label={t.average}
          value={view.sales === 0 ? '–' : f.money(Math.round(view.revenueMinor / view.sales), code)}
          note={t.tenMinutesOpen}
        />
        <Stat
          name="buyers"
          label={t.buyers}
          value={newest === undefined ? '–' : f.count(newest.buyers)}
          note={newest === undefined ? '' : t.openWindow(f.bounds(newest.start, newest.end))}
        />
      </dl>
      <div class="not-revenue">
        <div>
          <h2>{t.notRevenue}</h2>
          <p class="note">{t.notRevenueHelp}</p>
        </div>
        <dl class="apart-row">
          <Apart name="pending" label={t.pending} counted={view.pending} />
          <Apart name="failed" label={t.failed} counted={view.failed} />
          <Apart name="refunded" label={t.refunded} counted={view.refunded} />
        </dl>
      </div>
    </section>
  );
}
