// People instead of events: sessions, carts and buyers, which cannot be summed over windows.
import type pg from 'pg';
import { COMPLETED, VIEW } from './load-sql.ts';
import { ABANDONED_AFTER_MS, type People, type PeopleMoney, SESSION_MS_MAX } from './warehouse.ts';

/** A question must not hold the server for longer. */
const TIMEOUT_MS = 15_000;

/** Of all questions $1 and $2 are the range, $3 a merchant or null. */
const IN_RANGE = `"timestamp" >= $1 AND "timestamp" < $2 AND ($3::bigint IS NULL OR customer_id = $3)`;

/** Sessions that began before the end and were seen at or after the start, by what they had done by the end. */
const SESSIONS = `
SELECT currency, count(*) AS sessions,
  count(*) FILTER (WHERE viewed_at < $2) AS viewed,
  count(*) FILTER (WHERE carted_at < $2) AS carted,
  count(*) FILTER (WHERE checked_out_at < $2) AS "checkedOut",
  count(*) FILTER (WHERE bought_at < $2) AS bought,
  count(*) FILTER (WHERE viewed_at < $2 AND carted_at < $2) AS "cartedOfViewed",
  count(*) FILTER (WHERE carted_at < $2 AND checked_out_at < $2) AS "checkedOutOfCarted",
  count(*) FILTER (WHERE checked_out_at < $2 AND bought_at < $2) AS "boughtOfCheckedOut",
  coalesce(sum(cart_minor) FILTER (WHERE carted_at < $2), 0) AS "cartMinor",
  coalesce(sum(checkout_minor) FILTER (WHERE checked_out_at < $2), 0) AS "checkoutMinor",
  coalesce(sum(bought_minor) FILTER (WHERE bought_at < $2), 0) AS "boughtMinor",
  coalesce(sum(bought_minor) FILTER (WHERE bought_at < $2 AND checked_out_at < $2), 0) AS "boughtOfCheckedOutMinor"
FROM customer_sessions
WHERE "timestamp" >= $1 AND "timestamp" < $2 + interval '${SESSION_MS_MAX} ms' AND first_at < $2
  AND ($3::bigint IS NULL OR customer_id = $3)
GROUP BY currency`;

/** Carts that were neither empty nor checked out nor bought when their session fell silent; the range is shifted. */
const ABANDONED = `
SELECT currency, count(*) AS abandoned, sum(cart_minor) AS "abandonedMinor"
FROM customer_sessions
WHERE cart_minor > 0 AND cart_step <> 'checkout' AND (ordered_at IS NULL OR ordered_at < cart_at) AND ${IN_RANGE}
GROUP BY 1`;

const BUYERS = `
SELECT (SELECT count(*) FROM (SELECT buyer_id FROM realtime_events
          WHERE ${COMPLETED} AND buyer_id IS NOT NULL AND ${IN_RANGE} GROUP BY buyer_id) AS bought) AS buyers,
  (SELECT count(DISTINCT buyer_id) FROM buyers
   WHERE first_bought_at >= $1 AND first_bought_at < $2 AND ($3::bigint IS NULL OR customer_id = $3)
     AND NOT EXISTS (
       SELECT FROM buyers AS other
       WHERE other.buyer_id = buyers.buyer_id AND other.first_bought_at < $1
         AND ($3::bigint IS NULL OR other.customer_id = $3))) AS "newBuyers",
  (SELECT count(*) FROM realtime_events
   WHERE ${COMPLETED} AND session_id IS NULL AND ${IN_RANGE}) AS "sessionlessSales"`;

const VIEWS = `
SELECT product_id AS "productId", count(*) AS views FROM realtime_events
WHERE ${VIEW} AND ${IN_RANGE} GROUP BY product_id ORDER BY views DESC, product_id LIMIT $4`;

/** Figures come as text. Sessions that only looked have no currency. */
type Row<T> = { readonly [K in keyof T]: T[K] extends string ? string | null : string };

/**
 * Asks in one snapshot, bounded in time. The ranges have indexes that hold all that is asked for, so pages are cheap;
 * compiling such questions (jit) takes longer than they do.
 */
async function asking<T>(client: pg.ClientBase, ask: () => Promise<T>): Promise<T> {
  await client.query(
    `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL jit = off; SET LOCAL random_page_cost = 1.1;
     SET LOCAL statement_timeout = ${TIMEOUT_MS}`,
  );
  const answer = await ask();
  await client.query('COMMIT');
  return answer;
}

const range = (fromMs: number, toMs: number, customerId: number | undefined) => [
  new Date(fromMs),
  new Date(toMs),
  customerId ?? null,
];

type SessionsRow = Omit<People, 'money' | 'sessionlessSales' | 'buyers' | 'newBuyers'> &
  Omit<PeopleMoney, 'abandoned' | 'abandonedMinor'>;
type AbandonedRow = Pick<PeopleMoney, 'currency' | 'abandoned' | 'abandonedMinor'>;
type BuyersRow = Pick<People, 'buyers' | 'newBuyers' | 'sessionlessSales'>;

/** The warehouse's `people`, on a connection that nothing else uses meanwhile. */
export const people = (
  client: pg.ClientBase,
  fromMs: number,
  toMs: number,
  customerId?: number,
): Promise<People> =>
  asking(client, async () => {
    const values = range(fromMs, toMs, customerId);
    const silent = range(fromMs - ABANDONED_AFTER_MS, toMs - ABANDONED_AFTER_MS, customerId);
    const { rows: sessions } = await client.query<Row<SessionsRow>>(SESSIONS, values);
    const { rows: abandoned } = await client.query<Row<AbandonedRow>>(ABANDONED, silent);
    const { rows: buyers } = await client.query<Row<BuyersRow>>(BUYERS, values);
    const sum = (figure: keyof SessionsRow): number =>
      sessions.reduce((all, row) => all + Number(row[figure]), 0);
    return {
      sessions: sum('sessions'),
      viewed: sum('viewed'),
      carted: sum('carted'),
      checkedOut: sum('checkedOut'),
      bought: sum('bought'),
      cartedOfViewed: sum('cartedOfViewed'),
      checkedOutOfCarted: sum('checkedOutOfCarted'),
      boughtOfCheckedOut: sum('boughtOfCheckedOut'),
      money: moneyOf(sessions, abandoned),
      buyers: Number(buyers[0]!.buyers),
      newBuyers: Number(buyers[0]!.newBuyers),
      sessionlessSales: Number(buyers[0]!.sessionlessSales),
    };
  });

function moneyOf(
  sessions: readonly Row<SessionsRow>[],
  abandoned: readonly Row<AbandonedRow>[],
): readonly PeopleMoney[] {
  const currencies = new Set([...sessions, ...abandoned].flatMap(({ currency }) => currency ?? []));
  return [...currencies].sort().map((currency) => {
    const steps = sessions.find((row) => row.currency === currency);
    const left = abandoned.find((row) => row.currency === currency);
    return {
      currency,
      cartMinor: Number(steps?.cartMinor ?? 0),
      checkoutMinor: Number(steps?.checkoutMinor ?? 0),
      boughtMinor: Number(steps?.boughtMinor ?? 0),
      boughtOfCheckedOutMinor: Number(steps?.boughtOfCheckedOutMinor ?? 0),
      abandoned: Number(left?.abandoned ?? 0),
      abandonedMinor: Number(left?.abandonedMinor ?? 0),
    };
  });
}

/** The warehouse's `productViews`. */
export const productViews = (
  client: pg.ClientBase,
  fromMs: number,
  toMs: number,
  max: number,
  customerId?: number,
): Promise<readonly { readonly productId: number; readonly views: number }[]> =>
  asking(client, async () => {
    const values = [...range(fromMs, toMs, customerId), max];
    const { rows } = await client.query<{ productId: string; views: string }>(VIEWS, values);
    return rows.map(({ productId, views }) => ({ productId: Number(productId), views: Number(views) }));
  });
