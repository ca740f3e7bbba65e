import { currency, formats, texts } from '../state.ts';
import type { Ranked, View } from '../view.ts';

const SHOWN_MAX = 8;

interface ListProps {
  readonly id: string;
  readonly title: string;
  readonly note: string;
  readonly items: readonly Ranked[];
  readonly format: (value: number) => string;
  readonly name?: (name: string) => string;
  readonly empty: string;
}

/** Ranked bars; the list itself is the text alternative. */
function List({ id, title, note, items, format, name = (text) => text, empty }: ListProps) {
  const highest = items[0]?.value ?? 1;
  return (
    <section class={`list list-${id}`} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      <p class="note">{items.length === 0 ? empty : note}</p>
      <ol>
        {items.slice(0, SHOWN_MAX).map((item) => (
          <li key={item.name} data-name={item.name}>
            <span class="name">{name(item.name)}</span>
            <span class="value">{format(item.value)}</span>
            <span class="track" aria-hidden="true">
              <span class="fill" style={{ transform: `scaleX(${Math.max(0, item.value / highest)})` }} />
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Lists({ view }: { view: View }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  return (
    <div class="lists">
      <List
        id="category-revenue"
        title={t.categoryRevenue}
        note={t.chargedNote}
        items={view.categoryRevenue}
        format={(value) => f.money(value, code)}
        empty={t.noSalesIn(code)}
      />
      <List
        id="category-sales"
        title={t.categorySales}
        note={t.itemsNote}
        items={view.categorySales}
        format={f.count}
        empty={t.noSalesIn(code)}
      />
      <List
        id="behavior"
        title={t.behavior}
        note={t.behaviorNote}
        items={view.behaviors}
        format={f.count}
        name={(type) => t.interactions[type] ?? type.replaceAll('_', ' ')}
        empty={t.nothing}
      />
    </div>
  );
}
