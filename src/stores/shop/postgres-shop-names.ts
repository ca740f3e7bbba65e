import pg from 'pg';
import { FEED_COLUMNS, type Row } from './changes.ts';
import type { NamedTable, ShopNames } from './shop-names.ts';
import { presentColumns, TEXT_OPTIONS, textTypes } from './table-snapshot.ts';

/** Names from the shop's tables, as they are at the time of asking. */
export function postgresShopNames(url: string): ShopNames {
  const pool = new pg.Pool({
    connectionString: url,
    max: 2,
    query_timeout: 30_000,
    application_name: 'instashop names',
    types: textTypes,
    options: TEXT_OPTIONS,
  });
  pool.on('error', () => {});
  const select = async (table: keyof typeof FEED_COLUMNS.instashop, key: string, ids: readonly string[]) => {
    const columns = await presentColumns(pool, table, FEED_COLUMNS.instashop[table]);
    const sql = `SELECT ${columns.join(', ')} FROM ${table} WHERE ${key} = ANY($1::bigint[]) ORDER BY ${columns[0]}`;
    return (await pool.query<Row>(sql, [ids])).rows;
  };
  return {
    async names(table: NamedTable, ids) {
      const rows = await select(table, `${table}_id`, ids);
      return new Map(rows.map((row) => [row[`${table}_id`]!, row]));
    },
    async sales(ids) {
      return {
        headers: await select('transaction', 'transaction_id', ids),
        items: await select('transactiondetail', 'transaction_id', ids),
      };
    },
    close: () => pool.end(),
  };
}
