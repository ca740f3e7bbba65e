// What the server ranks: products and search terms.
import { useSignal } from '@preact/signals';
import type { LiveProduct, LiveTerm } from '../../../../contracts/live.ts';
import { VIEWS_MAX } from '../../../../contracts/people.ts';
import { people } from '../people.ts';
import { formats, texts } from '../settings.ts';
import { currency, model } from '../state.ts';
import type { View } from '../view.ts';
import { Panel, Rows } from './lists.tsx';

/** Bounds of the windows that the rankings are made of: they are as old as the newest of them. */
function noteOf(whole: boolean): string {
  const t = texts.value;
  const rankings = model.value?.rankings ?? null;
  if (rankings === null) return t.nothing;
  const bounds = t.windowsOpen(formats.value.bounds(rankings.from, rankings.to));
  return whole ? `${bounds}; ${t.wholeShop}` : bounds;
}

/** Views of a product in the same time; null where they are not known, or are of one merchant only. */
function viewsOf(): (product: LiveProduct) => number | null {
  const read = people.value;
  if (read === null || read.customer_id !== null) return () => null;
  const views = new Map(read.views.map((one) => [one.product_id, one.views]));
  // Beyond the most looked at there may be more.
  const others = read.views.length < VIEWS_MAX ? 0 : null;
  return ({ product_id }) => (product_id === null ? null : (views.get(product_id) ?? others));
}

export function Products({ view, whole }: { view: View; whole: boolean }) {
  const t = texts.value;
  const f = formats.value;
  const code = currency.value;
  const byPieces = useSignal(false);
  const figure = (product: LiveProduct): number => (byPieces.value ? product.quantity : product.gross_minor);
  const products = (model.value?.rankings?.products ?? [])
    .filter((product) => product.currency === code)
    .sort((a, b) => figure(b) - figure(a));
  const nameOf = ({ name, product_id }: LiveProduct): string => name ?? `#${product_id}`;
  const viewed = viewsOf();
  const besideOf = (product: LiveProduct): string => {
    const views = viewed(product);
    const other = byPieces.value ? f.money(product.gross_minor, code) : t.piecesOf(f.count(product.quantity));
    return views === null ? other : `${other}, ${t.viewsOf(f.count(views))}`;
  };
  const highest = products.length === 0 ? 1 : figure(products[0]!);
  const title = view.filter?.by === 'category' ? t.productsOf(view.filter.of) : t.products;
  return (
    <Panel
      id="products"
      title={title}
      info="products"
      note={products.length === 0 ? t.noSalesIn(code) : noteOf(whole)}
      sheet={{
        id: 'products',
        title,
        currency: code,
        columns: [
          { name: 'product_id', label: null, kind: 'count' },
          { name: 'product', label: t.product, kind: 'text' },
          { name: 'category', label: t.by.category, kind: 'text' },
          { name: 'revenue', label: t.revenue, kind: 'money' },
          { name: 'pieces', label: t.pieces, kind: 'count' },
          { name: 'views', label: t.views, kind: 'count' },
        ],
        rows: () =>
          products.map((product) => [
            product.product_id,
            nameOf(product),
            product.category,
            product.gross_minor,
            product.quantity,
            viewed(product),
          ]),
      }}
    >
      {products.length > 0 && (
        <button
          type="button"
          class="link"
          aria-pressed={byPieces.value}
          onClick={() => (byPieces.value = !byPieces.value)}
        >
          {t.byPieces}
        </button>
      )}
      <Rows
        rows={products.map((product) => ({
          key: String(product.product_id ?? product.name),
          name: nameOf(product),
          value: byPieces.value ? t.piecesOf(f.count(product.quantity)) : f.money(product.gross_minor, code),
          beside: besideOf(product),
          share: figure(product) / highest,
        }))}
      />
    </Panel>
  );
}

function Terms(props: {
  title: string;
  terms: readonly LiveTerm[];
  figure: (term: LiveTerm) => number;
  max: number;
}) {
  if (props.terms.length === 0) return null;
  const highest = props.figure(props.terms[0]!);
  return (
    <>
      <h3>{props.title}</h3>
      <Rows
        rows={props.terms.slice(0, props.max).map((term) => ({
          key: term.term,
          name: term.term,
          value: formats.value.count(props.figure(term)),
          share: props.figure(term) / highest,
        }))}
      />
    </>
  );
}

/** Searches, and those that found nothing. Without any search there is no share: "none", not 0 %. */
export function Searches({ whole }: { whole: boolean }) {
  const t = texts.value;
  const f = formats.value;
  const searches = model.value?.rankings?.searches;
  const count = searches?.count ?? 0;
  const without = searches?.without_result ?? 0;
  return (
    <Panel
      id="searches"
      title={t.searches}
      info="searches"
      note={noteOf(whole)}
      sheet={{
        id: 'searches',
        title: t.searches,
        columns: [
          { name: 'term', label: t.term, kind: 'text' },
          { name: 'searches', label: t.searches, kind: 'count' },
          { name: 'without_result', label: t.withoutResult, kind: 'count' },
        ],
        rows: () =>
          [
            ...new Map(
              [...(searches?.top ?? []), ...(searches?.top_without_result ?? [])].map((one) => [
                one.term,
                one,
              ]),
            ).values(),
          ].map((one) => [one.term, one.count, one.without_result]),
      }}
    >
      <p class="sub">
        <strong data-figure="without-result">{count === 0 ? t.none : f.percent(without / count)}</strong>{' '}
        {count === 0 ? t.noSearches : t.withoutOf(f.count(without), f.count(count))}
      </p>
      <Terms title={t.topSearches} terms={searches?.top ?? []} figure={(term) => term.count} max={4} />
      <Terms
        title={t.withoutResult}
        terms={searches?.top_without_result ?? []}
        figure={(term) => term.without_result}
        max={3}
      />
    </Panel>
  );
}
