import type { LivePeople } from '../../../../contracts/people.ts';
import { knownBefore, people, peopleDown } from '../people.ts';
import { address, formats, texts } from '../settings.ts';
import type { Cell, Sheet } from '../sheet.ts';
import { currency, view } from '../state.ts';
import { isLong } from '../warehouse.ts';
import { Change } from './change.tsx';
import { filterName } from './choices.tsx';
import { Funnel, moneyIn } from './funnel.tsx';
import { thanOf } from './now.tsx';
import { thanHours } from './period.tsx';
import { SheetView } from './sheet-view.tsx';
import { Stat } from './stats.tsx';

/** The words for what it is compared with; null where nothing is. */
function thanPeople(): string | null {
  if (isLong.value) return thanHours();
  return view.value === null ? null : thanOf(view.value);
}

/** What the shop itself said of carts in the same windows; not by merchant, and live only. */
function toldNote(): string {
  const shown = view.value;
  if (isLong.value || shown === null || address.value.filter?.by === 'merchant') return '';
  const told = shown.carts.get('cart_abandonment')?.count ?? 0;
  return `; ${texts.value.toldAbandoned(formats.value.count(told))}`;
}

function sheetOf(read: LivePeople, code: string): Sheet {
  const t = texts.value;
  const { now, period } = read;
  const before = knownBefore(read);
  const [money, earlier] = [moneyIn(period, code), before === null ? null : moneyIn(before, code)];
  const row = (name: string, label: string, count: number, was: Cell, minor: Cell = null, of = period) => [
    ...[name, label, count, minor, was, of.from, of.to],
  ];
  return {
    id: 'people',
    title: t.people,
    currency: code,
    columns: [
      { name: 'name', label: null, kind: 'text' },
      { name: 'figure', label: t.figure, kind: 'text' },
      { name: 'count', label: t.count, kind: 'count' },
      { name: 'amount', label: t.amount, kind: 'money' },
      { name: 'count_before', label: t.countBefore, kind: 'count' },
      { name: 'from', label: t.from, kind: 'time' },
      { name: 'to', label: t.to, kind: 'time' },
    ],
    rows: () => [
      ['sessions_now', t.sessionsNow, now.sessions, null, null, now.from, now.to],
      ['buyers_now', t.buyersNow, now.buyers, null, null, now.from, now.to],
      row('sessions', t.sessions, period.sessions, before?.sessions ?? null),
      row('buyers', t.differentBuyers, period.buyers, before?.buyers ?? null),
      row('new_buyers', t.newBuyers, period.new_buyers, before?.new_buyers ?? null),
      row(
        'returning_buyers',
        t.returningBuyers,
        period.buyers - period.new_buyers,
        before === null ? null : before.buyers - before.new_buyers,
      ),
      row(
        'abandoned_carts',
        t.abandonedCarts,
        money.abandoned,
        earlier?.abandoned ?? null,
        money.abandoned_minor,
      ),
    ],
  };
}

function Figures({ read, than }: { read: LivePeople; than: string | null }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const { now, period } = read;
  const before = than === null ? null : knownBefore(read);
  const money = moneyIn(period, code);
  const lastMinutes = t.last(t.minutes((now.to - now.from) / 60_000));
  const change = (of: (figures: LivePeople['period']) => number) => (
    <Change of={before === null ? null : [of(period), of(before)]} than={than ?? ''} />
  );
  const stat = (name: string, label: string, info: 'activeSessions' | 'differentBuyers', count: number) => ({
    ...{ name, label, info, value: f.count(count) },
  });
  const returning = period.buyers - period.new_buyers;
  return (
    <div class="stats">
      <dl class="stat-row">
        <Stat {...stat('sessions-now', t.sessionsNow, 'activeSessions', now.sessions)} note={lastMinutes} />
        <Stat {...stat('buyers-now', t.buyersNow, 'differentBuyers', now.buyers)} note={lastMinutes} />
        <Stat {...stat('sessions', t.sessions, 'activeSessions', period.sessions)} note={t.inPeriod}>
          {change(({ sessions }) => sessions)}
        </Stat>
        <Stat
          {...stat('different-buyers', t.differentBuyers, 'differentBuyers', period.buyers)}
          note={t.inPeriod}
        >
          {change(({ buyers }) => buyers)}
        </Stat>
        <Stat
          name="new-buyers"
          label={t.newBuyers}
          info="newBuyers"
          value={f.count(period.new_buyers)}
          note={t.returning(f.count(returning))}
        >
          {change(({ new_buyers }) => new_buyers)}
        </Stat>
        <Stat
          name="abandoned"
          label={t.abandonedCarts}
          info="abandonedCarts"
          value={f.count(money.abandoned)}
          note={`${f.money(money.abandoned_minor, code)}${toldNote()}`}
        >
          {change((figures) => moneyIn(figures, code).abandoned)}
        </Stat>
      </dl>
      <SheetView sheet={sheetOf(read, code)} />
    </div>
  );
}

/** People instead of events, from the warehouse. What it does not count by is said. */
export function People() {
  const t = texts.value;
  const f = formats.value;
  const read = people.value;
  const { filter } = address.value;
  if (read !== null && read.known_from === null) return null;
  const than = thanPeople();
  const bounds = (from: number, to: number): string =>
    isLong.value ? `${f.dateTime(from)} – ${f.dateTime(to)}` : f.bounds(from, to);
  return (
    <section class="people" aria-labelledby="people-title" aria-busy={read === null}>
      <div class="section-head">
        <h2 id="people-title">{filter?.by === 'merchant' ? `${t.people}: ${filterName()}` : t.people}</h2>
        <p class={peopleDown.value ? 'note warn' : 'note'}>
          {peopleDown.value
            ? t.historyDown
            : read === null
              ? t.historyWait
              : `${bounds(read.period.from, read.period.to)}, ${t.readAt(f.clock(read.server_time))}`}
        </p>
      </div>
      {filter !== null && filter.by !== 'merchant' && (
        <p class="note warn">{t.notByPeople(t.by[filter.by])}</p>
      )}
      {read !== null && (
        <>
          <Figures read={read} than={than} />
          <Funnel read={read} than={than} />
        </>
      )}
    </section>
  );
}
