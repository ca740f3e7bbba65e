import type pg from 'pg';
import type { HistoryPoint, LatestSale, LedgerRow, Warehouse, WarehouseTotals } from './warehouse.ts';

/** Sales by hour and currency, from the rollup. */
export async function history(
  pool: pg.Pool,
  fromMs: number,
  toMs: number,
  customerId?: number,
): Promise<readonly HistoryPoint[]> {
  const { rows } = await pool.query<Record<keyof HistoryPoint, string>>(
    `SELECT extract(epoch FROM hour) * 1000 AS hour, currency, sum(completed) AS completed,
            sum(gross_minor) AS "grossMinor", sum(reversals) AS reversals,
            sum(reversals_minor) AS "reversalsMinor", sum(pending) AS pending, sum(failed) AS failed,
            sum(refunded) AS refunded
     FROM sales_hourly
     WHERE sales_hourly.hour >= $1 AND sales_hourly.hour < $2 AND ($3::bigint IS NULL OR customer_id = $3)
     GROUP BY sales_hourly.hour, currency ORDER BY sales_hourly.hour, currency`,
    [new Date(fromMs), new Date(toMs), customerId ?? null],
  );
  return rows.map((row) => ({
    hour: Number(row.hour),
    currency: row.currency,
    completed: Number(row.completed),
    grossMinor: Number(row.grossMinor),
    reversals: Number(row.reversals),
    reversalsMinor: Number(row.reversalsMinor),
    pending: Number(row.pending),
    failed: Number(row.failed),
    refunded: Number(row.refunded),
  }));
}

/** The newest entries into `completed`, by the index of those: its condition stands here as it is written there. */
export async function latestSales(
  pool: pg.Pool,
  max: number,
  customerId?: number,
): Promise<readonly LatestSale[]> {
  const { rows } = await pool.query<Record<keyof LatestSale, string | null>>(
    `SELECT extract(epoch FROM "timestamp") * 1000 AS at, customer_name AS "customerName", buyer_id AS "buyerId",
            raw_data ->> 'payment_method' AS "paymentMethod", amount_minor AS "amountMinor", currency
     FROM realtime_events
     WHERE event_type = 'transaction' AND op <> 'items_changed' AND status = 'completed'
       AND previous_status IS DISTINCT FROM 'completed' AND ($2::bigint IS NULL OR customer_id = $2)
     ORDER BY "timestamp" DESC, source_position DESC LIMIT $1`,
    [max, customerId ?? null],
  );
  return rows.map((row) => ({
    at: Number(row.at),
    customerName: row.customerName,
    buyerId: row.buyerId === null ? null : Number(row.buyerId),
    paymentMethod: row.paymentMethod,
    amountMinor: Number(row.amountMinor),
    currency: row.currency!,
  }));
}

/** Events by hour and type, from the rollup. */
export async function activity(
  pool: pg.Pool,
  fromMs: number,
  toMs: number,
): Promise<readonly { hour: number; eventType: string; events: number }[]> {
  const { rows } = await pool.query<{ hour: string; event_type: string; events: string }>(
    `SELECT extract(epoch FROM hour) * 1000 AS hour, event_type, sum(events) AS events FROM events_hourly
     WHERE events_hourly.hour >= $1 AND events_hourly.hour < $2
     GROUP BY events_hourly.hour, event_type ORDER BY events_hourly.hour, event_type`,
    [new Date(fromMs), new Date(toMs)],
  );
  return rows.map((row) => ({
    hour: Number(row.hour),
    eventType: row.event_type,
    events: Number(row.events),
  }));
}

/** From the rollups. */
export async function totals(pool: pg.Pool): Promise<WarehouseTotals> {
  const { rows } = await pool.query<Record<keyof WarehouseTotals, string | null>>(
    `SELECT coalesce(sum(events), 0) AS events, coalesce(sum(placed), 0) AS transactions,
            coalesce(sum(recorded), 0) AS behaviors, (SELECT count(*) FROM event_customers) AS customers,
            count(*) AS "activeDays", extract(epoch FROM min(first_at)) * 1000 AS "firstEventAt",
            extract(epoch FROM max(last_at)) * 1000 AS "lastEventAt"
     FROM (
       SELECT sum(events) AS events, min(first_at) AS first_at, max(last_at) AS last_at,
              sum(events) FILTER (WHERE event_type = 'transaction' AND op = 'placed') AS placed,
              sum(events) FILTER (WHERE op = 'recorded') AS recorded
       FROM events_hourly GROUP BY date_trunc('day', hour, 'UTC')
     ) AS days`,
  );
  const row = rows[0]!;
  const instant = (value: string | null) => (value === null ? null : Number(value));
  return {
    events: Number(row.events),
    transactions: Number(row.transactions),
    behaviors: Number(row.behaviors),
    customers: Number(row.customers),
    activeDays: Number(row.activeDays),
    firstEventAt: instant(row.firstEventAt),
    lastEventAt: instant(row.lastEventAt),
  };
}

/** From the raw rows: a proof must not read what it is to prove. */
export async function accounting(pool: pg.Pool): ReturnType<Warehouse['accounting']> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    const ledger = await client.query<Record<keyof LedgerRow, string>>(
      `SELECT kind, sale_day::text AS day, currency, status, sum(sign) AS rows,
              sum(sign * amount_minor::numeric) AS "amountMinor",
              sum(sign * ('x' || substr(md5(entry_id || ':' || status || ':' || amount_minor), 1, 15))
                ::bit(60)::bigint::numeric) AS digest
       FROM ledger_entries GROUP BY kind, sale_day, currency, status
       HAVING (sum(sign), sum(sign * amount_minor::numeric)) <> (0, 0)
       ORDER BY kind, sale_day, currency, status`,
    );
    const events = await client.query<{ event_type: string; day: string; rows: string }>(
      `SELECT event_type, ("timestamp" AT TIME ZONE 'UTC')::date::text AS day, count(*) AS rows
       FROM realtime_events GROUP BY 1, 2 ORDER BY 1, 2`,
    );
    const offsets = await client.query<{ key: string; next_offset: string }>(
      `SELECT topic || '/' || partition AS key, next_offset FROM loaded_offsets`,
    );
    await client.query('COMMIT');
    return {
      ledger: ledger.rows.map((row) => ({
        kind: row.kind as LedgerRow['kind'],
        day: row.day,
        currency: row.currency,
        status: row.status,
        rows: Number(row.rows),
        amountMinor: Number(row.amountMinor),
        digest: row.digest,
      })),
      events: events.rows.map((row) => ({
        eventType: row.event_type,
        day: row.day,
        rows: Number(row.rows),
      })),
      offsets: new Map(offsets.rows.map((row) => [row.key, Number(row.next_offset)])),
    };
  } finally {
    client.release();
  }
}
