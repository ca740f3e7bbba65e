import type { Row, RowChange } from '../../stores/shop/changes.ts';
import type { NamedTable, ShopNames } from '../../stores/shop/shop-names.ts';

const NAMED: readonly NamedTable[] = ['customer', 'buyer', 'product'];
/** Rows kept per table; the longest kept one goes first. */
const ROWS_MAX = 100_000;

/** Rows of customers, buyers and products, asked for in batches and kept up to date by the feed. */
export class NameCache {
  readonly #names: Pick<ShopNames, 'names'>;
  readonly #rows: Record<NamedTable, Map<string, Row | null>> = {
    customer: new Map(),
    buyer: new Map(),
    product: new Map(),
  };

  constructor(names: Pick<ShopNames, 'names'>) {
    this.#names = names;
  }

  /** Makes the rows of these ids known, with one question a table at most. */
  async prepare(ids: Readonly<Record<NamedTable, ReadonlySet<string>>>): Promise<void> {
    await Promise.all(
      NAMED.map(async (table) => {
        const missing = [...ids[table]].filter((id) => !this.#rows[table].has(id));
        if (missing.length === 0) return;
        const found = await this.#names.names(table, missing);
        for (const id of missing) this.#set(table, id, found.get(id) ?? null);
      }),
    );
  }

  get(table: NamedTable, id: string | null | undefined): Row | null {
    return (id != null && this.#rows[table].get(id)) || null;
  }

  /** Takes over a change of one of the three tables; other tables are none of its business. */
  observe({ table, after }: RowChange): void {
    if (table !== 'customer' && table !== 'buyer' && table !== 'product') return;
    const id = after?.[`${table}_id`];
    if (id == null) return;
    this.#set(table, id, { ...this.#rows[table].get(id), ...after });
  }

  #set(table: NamedTable, id: string, row: Row | null): void {
    const rows = this.#rows[table];
    rows.set(id, row);
    if (rows.size > ROWS_MAX) rows.delete(rows.keys().next().value!);
  }
}
