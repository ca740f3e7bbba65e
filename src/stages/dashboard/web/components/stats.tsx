import type { ComponentChildren } from 'preact';
import { LIVE_WINDOW_MS } from '../../../../contracts/live.ts';
import { ownMerchant } from '../session.ts';
import { formats, texts } from '../settings.ts';
import type { Cell, Sheet } from '../sheet.ts';
import { currency } from '../state.ts';
import type { Counted, View } from '../view.ts';
import { averages, Change } from './change.tsx';
import { type Defined, Info } from './info.tsx';
import { thanOf } from './now.tsx';
import { SheetView } from './sheet-view.tsx';

const WINDOWS_PER_MINUTE = 60_000 / LIVE_WINDOW_MS;

export interface StatProps {
  readonly name: string;
  readonly label: string;
  readonly info: Defined;
  readonly value: string;
  readonly note: string;
  readonly children?: ComponentChildren;
}

/** One figure with what it is, how it is made, and of when it is. */
export function Stat({ name, label, info, value, note, children }: StatProps) {
  return (
    <div class="stat">
      <dt>
        {label} <Info of={info} name={label} />
      </dt>
      <dd>
        <span class="big" data-figure={name}>
          {value}
        </span>
        {children}
        <span class="note">{note}</span>
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

/** What never counts as revenue. Of a category there is none: its items are counted when they are sold. */
function NotRevenue({ view: { statuses, periodMs } }: { view: View }) {
  const t = texts.value;
  if (statuses === null) return null;
  return (
    <div class="not-revenue">
      <div>
        <h2>
          {t.notRevenue} <Info of="notRevenue" name={t.notRevenue} />
        </h2>
        <p class="note">{t.notRevenueHelp(t.minutes(periodMs / 60_000))}</p>
      </div>
      <dl class="apart-row">
        <Apart name="pending" label={t.pending} counted={statuses.pending} />
        <Apart name="failed" label={t.failed} counted={statuses.failed} />
        <Apart name="refunded" label={t.refunded} counted={statuses.refunded} />
      </dl>
    </div>
  );
}

function sheetOf(view: View, currency: string): Sheet {
  const t = texts.value;
  const { windows, lastClosed: closed, newest, statuses } = view;
  const [from, to] = [windows[0]?.start ?? null, newest?.end ?? null];
  // Visits and events are of the whole shop.
  const isOwn = ownMerchant.value !== null;
  const figure = (name: string, label: string, count: number | null, minor: number | null): Cell[] => [
    name,
    label,
    count,
    minor,
    from,
    to,
  ];
  return {
    id: 'figures',
    title: t.figures,
    currency,
    columns: [
      { name: 'name', label: null, kind: 'text' },
      { name: 'figure', label: t.figure, kind: 'text' },
      { name: 'count', label: t.count, kind: 'count' },
      { name: 'amount', label: t.amount, kind: 'money' },
      { name: 'from', label: t.from, kind: 'time' },
      { name: 'to', label: t.to, kind: 'time' },
    ],
    rows: () => [
      figure(
        'completed',
        view.filter?.by === 'category' ? t.items : t.completedSales,
        view.sales,
        view.revenueMinor,
      ),
      figure('net', t.netRevenue, null, view.netMinor),
      ...(statuses === null
        ? []
        : (['pending', 'failed', 'refunded'] as const).map((status) =>
            figure(status, t[status], statuses[status].count, statuses[status].minor),
          )),
      ...(isOwn ? [] : [figure('website_visits', t.interactions['website_visit'] ?? '', view.visits, null)]),
      ...(closed === undefined || isOwn
        ? []
        : [['events', t.events, view.events, null, closed.start, closed.end]]),
      ...(newest === undefined ? [] : [['buyers', t.buyers, newest.buyers, null, newest.start, newest.end]]),
    ],
  };
}

/** Single figures: of the newest closed window where only a whole one can be exact, else of the chosen minutes. */
export function Stats({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { lastClosed: closed, newest, compared, filter } = view;
  const closedNote = closed === undefined ? t.noClosed : t.closedWindow(f.bounds(closed.start, closed.end));
  const periodNote = t.periodOpen(t.minutes(view.periodMs / 60_000));
  const than = thanOf(view) ?? '';
  const shown = than === '' ? null : compared;
  const isItems = filter?.by === 'category';
  return (
    <section class="stats" aria-label={t.figures}>
      <dl class="stat-row">
        <Stat
          name="sales"
          label={isItems ? t.items : t.completedSales}
          info={isItems ? 'items' : 'sales'}
          value={f.count(view.sales)}
          note={periodNote}
        >
          <Change of={shown?.sales ?? null} than={than} />
        </Stat>
        <Stat
          name="per-minute"
          label={isItems ? t.itemsPerMinute : t.perMinute}
          info="perMinute"
          value={closed === undefined ? '–' : f.count(closed.sales * WINDOWS_PER_MINUTE)}
          note={closedNote}
        />
        <Stat
          name="average"
          label={isItems ? t.averageItem : t.average}
          info={isItems ? 'averageItem' : 'average'}
          value={view.sales === 0 ? '–' : f.money(Math.round(view.revenueMinor / view.sales), code)}
          note={periodNote}
        >
          <Change of={averages(shown?.revenueMinor, shown?.sales)} than={than} />
        </Stat>
        {filter === null && (
          <Stat
            name="conversion"
            label={t.conversion}
            info="conversion"
            value={view.visits === 0 ? '–' : f.percent(view.sales / view.visits)}
            note={view.visits === 0 ? t.noVisits : t.ofVisits(f.count(view.visits))}
          />
        )}
        <Stat
          name="buyers"
          label={t.buyers}
          info="buyers"
          value={newest === undefined ? '–' : f.count(newest.buyers)}
          note={newest === undefined ? '' : t.openWindow(f.bounds(newest.start, newest.end))}
        />
        {ownMerchant.value === null && (
          <Stat
            name="events"
            label={t.eventRate}
            info="eventRate"
            value={closed === undefined ? '–' : f.tenths((view.events * 1_000) / LIVE_WINDOW_MS)}
            note={filter === null ? closedNote : `${closedNote}; ${t.wholeShop}`}
          />
        )}
      </dl>
      <NotRevenue view={view} />
      <SheetView sheet={sheetOf(view, code)} />
    </section>
  );
}
