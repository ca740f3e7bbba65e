// What the shop calls its merchants, shoppers and products, for events that carry the names.
import type { Row } from './changes.ts';

export type NamedTable = 'customer' | 'buyer' | 'product';

export interface ShopNames {
  /** The rows of these ids as they are now, with the columns of FEED_COLUMNS; missing ones are left out. */
  names(table: NamedTable, ids: readonly string[]): Promise<ReadonlyMap<string, Row>>;
  /** The sale and its items as they are now, for sales that capture has no memory of. */
  sales(
    ids: readonly string[],
  ): Promise<{ readonly headers: readonly Row[]; readonly items: readonly Row[] }>;
  close(): Promise<void>;
}
