import type { ComponentChildren } from 'preact';
import type { LiveFilter } from '../../../../contracts/live.ts';
import { address, formats, setAddress, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { currency } from '../state.ts';
import type { Ranked, View } from '../view.ts';
import { Cart } from './cart.tsx';
import { type Defined, Info } from './info.tsx';
import { Products, Searches } from './rankings.tsx';
import { SheetView } from './sheet-view.tsx';

const SHOWN_MAX = 8;

export interface PanelProps {
  readonly id: string;
  readonly title: string;
  readonly info: Defined;
  readonly note: string;
  readonly sheet: Sheet;
  readonly children: ComponentChildren;
}

/** A sheet of the page with its definition, table and file. */
export function Panel({ id, title, info, note, sheet, children }: PanelProps) {
  return (
    <section class={`list list-${id}`} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>
        {title} <Info of={info} name={title} />
      </h2>
      <p class="note">{note}</p>
      <div class="list-body">{children}</div>
      <SheetView sheet={sheet} />
    </section>
  );
}

/** The name of a thing one can look at alone: pressing it filters, pressing it again does not. */
export function FilterName({ by, name }: { by: LiveFilter['by']; name: string }) {
  const { filter } = address.value;
  const isOn = filter?.by === by && filter.of === name;
  return (
    <button
      type="button"
      class="name"
      aria-pressed={isOn}
      onClick={() => setAddress({ filter: isOn ? null : { by, of: name } })}
    >
      {name}
    </button>
  );
}

export interface Row {
  readonly key: string;
  readonly name: ComponentChildren;
  readonly value: string;
  readonly beside?: string;
  /** Of the longest bar. */
  readonly share: number;
}

/** Ranked bars; the list itself is the text alternative. */
export function Rows({ rows }: { rows: readonly Row[] }) {
  return (
    <ol>
      {rows.slice(0, SHOWN_MAX).map(({ key, name, value, beside, share }) => (
        <li key={key} data-name={key}>
          {typeof name === 'string' ? <span class="name">{name}</span> : name}
          <span class="value">
            {value}
            {beside !== undefined && <span class="beside">{beside}</span>}
          </span>
          <span class="track" aria-hidden="true">
            <span class="fill" style={{ transform: `scaleX(${Math.max(0, Math.min(1, share))})` }} />
          </span>
        </li>
      ))}
    </ol>
  );
}

function sheetOf(id: string, title: string, items: readonly Ranked[], columns: Sheet['columns']): Sheet {
  return {
    id,
    title,
    currency: currency.value,
    columns,
    rows: () => items.map(({ name, value, beside }) => [name, value, beside]),
  };
}

/** Categories and payment methods: money, and how many. */
function Money(props: {
  id: 'categories' | 'payments';
  by: LiveFilter['by'];
  title: string;
  items: readonly Ranked[];
  count: { name: string; label: string; text: (count: string) => string };
  note: string;
}) {
  const t = texts.value;
  const f = formats.value;
  const { id, by, title, items, count } = props;
  const highest = items[0]?.value ?? 1;
  const columns: Sheet['columns'] = [
    { name: by, label: t.by[by], kind: 'text' },
    { name: 'revenue', label: t.revenue, kind: 'money' },
    { name: count.name, label: count.label, kind: 'count' },
  ];
  return (
    <Panel
      id={id}
      title={title}
      info={id}
      note={items.length === 0 ? t.noSalesIn(currency.value) : props.note}
      sheet={sheetOf(id, title, items, columns)}
    >
      <Rows
        rows={items.map(({ name, value, beside }) => ({
          key: name,
          name: <FilterName by={by} name={name} />,
          value: f.money(value, currency.value),
          beside: count.text(f.count(beside)),
          share: value / highest,
        }))}
      />
    </Panel>
  );
}

function Behavior({ items, note }: { items: readonly Ranked[]; note: string }) {
  const t = texts.value;
  const f = formats.value;
  const highest = items[0]?.value ?? 1;
  const nameOf = (type: string): string => t.interactions[type] ?? type.replaceAll('_', ' ');
  return (
    <Panel
      id="behavior"
      title={t.behavior}
      info="behavior"
      note={items.length === 0 ? t.nothing : note}
      sheet={sheetOf('behavior', t.behavior, items, [
        { name: 'interaction_type', label: t.behavior, kind: 'text' },
        { name: 'events', label: t.events, kind: 'count' },
      ])}
    >
      <Rows
        rows={items.map(({ name, value }) => ({
          key: name,
          name: nameOf(name),
          value: f.count(value),
          share: value / highest,
        }))}
      />
    </Panel>
  );
}

/** What is ranked. Where a filter is on, what is not counted by it is of the whole shop and says so. */
export function Lists({ view }: { view: View }) {
  const t = texts.value;
  const by = view.filter?.by;
  const bounds = t.periodOpen(t.minutes(view.periodMs / 60_000));
  const noteOf = (follows: boolean): string =>
    by === undefined || follows ? bounds : `${bounds}; ${t.wholeShop}`;
  return (
    <div class="lists">
      <Money
        id="categories"
        by="category"
        title={t.categoryRevenue}
        items={view.categories}
        count={{ name: 'pieces', label: t.pieces, text: t.piecesOf }}
        note={noteOf(by === 'category')}
      />
      <Products view={view} whole={by !== undefined && by !== 'category'} />
      <Money
        id="payments"
        by="payment"
        title={t.payments}
        items={view.payments}
        count={{ name: 'sales', label: t.completedSales, text: t.salesOf }}
        note={noteOf(by === 'payment')}
      />
      <Cart view={view} note={noteOf(false)} />
      <Behavior items={view.behaviors} note={noteOf(false)} />
      <Searches whole={by !== undefined} />
    </div>
  );
}
