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
  readonly #missing: Record<NamedTable, Set<string>> = {
    customer: new Set(),
    buyer: new Set(),
    product: new Set(),
  };
  /** false: something needed is not loaded. */
  isComplete = true;

  constructor(names: Pick<ShopNames, 'names'>) {
    this.#names = names;
  }

  /** Says that the row is going to be asked for. */
  need(table: NamedTable, id: string | null | undefined): void {
    if (id == null || this.#rows[table].has(id)) return;
    this.#missing[table].add(id);
    this.isComplete = false;
  }

  /** Makes every needed row known, with one question a table at most. */
  async load(): Promise<void> {
    await Promise.all(
      NAMED.map(async (table) => {
        const missing = [...this.#missing[table]];
        if (missing.length === 0) return;
        const found = await this.#names.names(table, missing);
        for (const id of missing) this.#set(table, id, found.get(id) ?? null);
        this.#missing[table].clear();
      }),
    );
    this.isComplete = true;
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
