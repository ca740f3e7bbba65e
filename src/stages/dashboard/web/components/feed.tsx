import { feed } from '../feed.ts';
import { formats, texts } from '../settings.ts';
import type { Sheet } from '../sheet.ts';
import { now } from '../state.ts';
import { Info } from './info.tsx';
import { Scroll } from './scroll.tsx';
import { SaveButton } from './sheet-view.tsx';

/** The latest completed sales, without telling whose they are. */
export function Feed() {
  const t = texts.value;
  const f = formats.value;
  const sales = feed.value?.sales ?? [];
  if (sales.length === 0) return null;
  const sheet: Sheet = {
    id: 'feed',
    title: t.feed,
    columns: (
      [
        ['completed_at', 'time'],
        ['merchant', 'text'],
        ['buyer', 'text'],
        ['payment_method', 'text'],
        ['amount_minor', 'count'],
        ['currency', 'text'],
      ] as const
    ).map(([name, kind]) => ({ name, label: null, kind })),
    rows: () =>
      sales.map((sale) => [
        ...[sale.at, sale.merchant, sale.buyer, sale.payment_method, sale.amount_minor, sale.currency],
      ]),
  };
  return (
    <section class="feed" aria-labelledby="feed-title">
      <div class="section-head">
        <h2 id="feed-title">
          {t.feed} <Info of="feed" name={t.feed} />
        </h2>
      </div>
      <Scroll label={t.feed}>
        <table>
          <thead>
            <tr>
              {[t.completedAt, t.merchant, t.buyer, t.payments].map((label) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
              <th scope="col" class="num">
                {t.amount}
              </th>
            </tr>
          </thead>
          <tbody>
            {sales.map((sale, index) => (
              <tr key={`${sale.at}/${index}`}>
                <td>{t.ago(f.age(Math.max(0, now.value - sale.at)))}</td>
                <td>{sale.merchant ?? '–'}</td>
                <td>{sale.buyer ?? '–'}</td>
                <td>{sale.payment_method ?? '–'}</td>
                <td class="num">{f.money(sale.amount_minor, sale.currency)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      <SaveButton sheet={sheet} />
    </section>
  );
}
