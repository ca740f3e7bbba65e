// What the shop's tables add up to, by UTC day (the session's time zone is UTC), with the digest of lib/digest.ts.
// `ok`: an event can hold the row (what capture and enrichment refuse is counted apart).

const digest = (id: string, status: string, minor: string): string =>
  `sum(CASE WHEN ok THEN
     ('x' || substr(md5(${id} || ':' || ${status} || ':' || ${minor}), 1, 15))::bit(60)::bigint::numeric END)`;

/** NaN is greater than every number; 2^53 - 1 hundredths are the most that is exact. */
const isAmount = (column: string): string =>
  `abs(${column}::numeric) <= 90071992547409.91 AND ${column}::numeric = trunc(${column}::numeric, 2)`;
const isInstant = (column: string): string => `${column} >= '0001-01-01' AND ${column} < '275760-09-13'`;
const currency = `coalesce(currency::text, $1)`;

const SALE_OK = `${isAmount('total_amount')} AND ${isInstant('transaction_date')}
  AND ${currency} ~ '^[A-Z]{3}$' AND customer_id IS NOT NULL AND buyer_id IS NOT NULL`;

const SALE = `
  SELECT transaction_id AS id, transaction_date::date::text AS day, ${currency} AS currency,
         coalesce(status, 'unknown') AS status, total_amount, coalesce(${SALE_OK}, false) AS ok
  FROM transaction WHERE transaction_id <> ALL ($2::bigint[])`;

/** $1: the main currency, $2: ids to leave out. */
export const SALES = `
WITH sale AS (${SALE}), entry AS (
  SELECT *, CASE WHEN ok THEN (total_amount::numeric * 100)::bigint END AS minor FROM sale
)
SELECT ok, day || '|' || currency || '|' || status AS key, count(*) AS rows, coalesce(sum(minor), 0) AS minor,
       coalesce(${digest('id', 'status', 'minor')}, 0) AS digest
FROM entry GROUP BY 1, 2`;

/** The largest amount of an item: see stages/enrichment/item-ledger.ts. */
const ITEM_OK = `sale.ok AND ${isAmount('unit_price')} AND quantity >= 1 AND product_id IS NOT NULL
  AND abs(unit_price::numeric * quantity) <= 9999999999.99`;

export const ITEMS = `
WITH sale AS (${SALE}), item AS (
  SELECT transaction_detail_id AS id, day, currency, status, unit_price, quantity,
         coalesce(${ITEM_OK}, false) AS ok
  FROM transactiondetail JOIN sale ON sale.id = transaction_id
), entry AS (
  SELECT *, CASE WHEN ok THEN (unit_price::numeric * 100)::bigint * quantity END AS minor FROM item
)
SELECT ok, day || '|' || currency || '|' || status AS key, count(*) AS rows, coalesce(sum(minor), 0) AS minor,
       coalesce(${digest('id', 'status', 'minor')}, 0) AS digest
FROM entry GROUP BY 1, 2`;

const STEPS = `('add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment')`;
const IS_CART = `(coalesce(cart_step IN ${STEPS}, false) OR interaction_type IN ${STEPS}
  OR interaction_type = 'purchase_intent')`;
const CART_ITEMS_OK = `NOT EXISTS (
  SELECT FROM jsonb_array_elements(CASE jsonb_typeof(cart_items) WHEN 'array' THEN cart_items ELSE '[null]' END) AS e
  WHERE CASE
    WHEN jsonb_typeof(e->'product_id') = 'number' AND jsonb_typeof(e->'quantity') = 'number'
     AND jsonb_typeof(e->'price') = 'number' AND jsonb_typeof(e->'product_name') = 'string'
    THEN (e->>'product_id')::numeric % 1 <> 0 OR (e->>'quantity')::numeric % 1 <> 0
    ELSE true END)`;
const CART_OK = `(cart_items IS NULL OR ${CART_ITEMS_OK}) AND ${currency} ~ '^[A-Z]{3}$'
  AND (cart_total IS NULL OR ${isAmount('cart_total')})`;
const SEARCH_OK = `NOT (results_count < 0 AND (interaction_type IN ('search_query', 'search')
  OR search_query IS NOT NULL))`;

export const VISITS = `
WITH visit AS (
  SELECT interaction_id AS id, interaction_date::date::text AS day,
         coalesce(interaction_type, 'unknown') AS type,
         coalesce(${isInstant('interaction_date')}
           AND CASE WHEN ${IS_CART} THEN ${CART_OK} ELSE coalesce(${SEARCH_OK}, true) END, false) AS ok
  FROM interaction WHERE interaction_id <> ALL ($2::bigint[])
)
SELECT ok, day || '|' || type AS key, count(*) AS rows, 0 AS minor,
       coalesce(${digest('id', 'type', "'0'")}, 0) AS digest
FROM visit GROUP BY 1, 2`;
