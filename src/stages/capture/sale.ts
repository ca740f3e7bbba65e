// A sale as the shop has it at one place of the change feed: its header row and its item rows.
import { UserError } from '../../lib/errors.ts';
import { FEED_COLUMNS, type Row, type RowChange } from '../../stores/shop/changes.ts';

export interface Sale {
  /** null: there is no such sale (any more). */
  readonly header: Row | null;
  /** By transaction_detail_id, in the order they appeared. */
  readonly items: ReadonlyMap<string, Row>;
}

export const NO_SALE: Sale = { header: null, items: new Map() };

const HEADER = FEED_COLUMNS.instashop.transaction;
const ITEM = FEED_COLUMNS.instashop.transactiondetail;

const pack = (row: Row, columns: readonly string[]) => columns.map((column) => row[column] ?? null);
const unpack = (values: readonly (string | null)[], columns: readonly string[]): Row =>
  Object.fromEntries(columns.map((column, i) => [column, values[i] ?? null]));

/** A sale as the state keeps it. */
export interface KnownSale {
  /** As the shop has it. */
  readonly sale: Sale;
  /** As it was published: an earlier state, where the events since were too large for a record. */
  readonly published: Sale;
}

type Body = readonly (readonly (string | null)[])[] | null;

/** Compact JSON text of what is known of a sale, null where it is gone, and back. */
export function encodeSale({ sale, published }: KnownSale): string | null {
  const is = bodyOf(sale);
  if (published !== sale) return JSON.stringify({ is, was: bodyOf(published) });
  return is && JSON.stringify(is);
}

export function decodeSale(text: string): KnownSale {
  const known = JSON.parse(text) as Exclude<Body, null> | { readonly is: Body; readonly was: Body };
  if ('is' in known) return { sale: saleOf(known.is), published: saleOf(known.was) };
  const sale = saleOf(known);
  return { sale, published: sale };
}

const bodyOf = ({ header, items }: Sale): Body =>
  header && [pack(header, HEADER), ...Array.from(items.values(), (item) => pack(item, ITEM))];

function saleOf(body: Body): Sale {
  if (body === null) return NO_SALE;
  const [header, ...items] = body;
  const rows = items.map((item) => unpack(item, ITEM));
  return { header: unpack(header!, HEADER), items: new Map(rows.map((row) => [itemId(row), row])) };
}

export const itemId = (row: Row): string => row['transaction_detail_id']!;

/** The sales a change of table transaction or transactiondetail touches: one, or two when an item moves. */
export function saleIdsOf({ table, before, after }: RowChange): readonly string[] {
  const ids = [before?.['transaction_id'], after?.['transaction_id']];
  if (table === 'transactiondetail' && before && !before['transaction_id']) {
    throw new UserError(
      'an item was changed, and the shop does not say of which sale',
      'Run in the shop: ALTER TABLE transactiondetail REPLICA IDENTITY FULL; then start once with --resnapshot.',
    );
  }
  return [...new Set(ids.filter((id) => id != null))];
}

/** The sale after the change, of which only what concerns sale `id` is applied. */
export function applyChange(sale: Sale, id: string, { table, before, after }: RowChange): Sale {
  const [gone, there] = [before?.['transaction_id'] === id, after?.['transaction_id'] === id];
  if (table === 'transaction') {
    // Values the feed left out (unchanged TOAST) are the ones we have.
    if (there) return { ...sale, header: { ...sale.header, ...after } };
    return gone ? { ...sale, header: null } : sale;
  }
  const items = new Map(sale.items);
  const [old, row] = [before && itemId(before), after && itemId(after)];
  if (gone && old !== null && !(there && old === row)) items.delete(old);
  if (there && after !== null && row !== null) items.set(row, { ...items.get(row), ...after });
  return { ...sale, items };
}

/** The sale before the change, as far as the change tells: for sales whose earlier state we do not know. */
export function revertChange(sale: Sale, id: string, change: RowChange): Sale {
  const { table, kind, before, after } = change;
  // A row of key columns alone says nothing about the others.
  const full = before !== null && Object.values(before).filter((value) => value !== null).length > 2;
  if (table === 'transaction') {
    if (kind === 'insert') return after?.['transaction_id'] === id ? { ...sale, header: null } : sale;
    return full && before['transaction_id'] === id ? { ...sale, header: before } : sale;
  }
  return applyChange(sale, id, { table, kind, before: after, after: before });
}
