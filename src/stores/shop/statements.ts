// Each batch is one statement: one round trip, and a transaction by itself. Columns come as arrays (unnest); ids are
// drawn from the sequences in the order of the arrays.

/** Two generators that start at once must not both fill the shop. */
export const LOCK_OPENING = 'SELECT pg_advisory_xact_lock(7301956)';

export const IS_EMPTY = `
SELECT NOT EXISTS (SELECT FROM customer) AND NOT EXISTS (SELECT FROM buyer)
   AND NOT EXISTS (SELECT FROM product) AS empty`;

export const INSERT_CUSTOMERS = `
INSERT INTO customer (name, business_name, email, phone, subscription_plan, logo_url, store_url)
SELECT name, business_name, email, phone, plan, logo, store
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
  WITH ORDINALITY AS c (name, business_name, email, phone, plan, logo, store, n)
ORDER BY n
RETURNING customer_id AS id`;

export const INSERT_BUYERS = `
INSERT INTO buyer (name, email, phone, shipping_address)
SELECT name, email, phone, address
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS b (name, email, phone, address, n)
ORDER BY n`;

export const INSERT_PRODUCTS = `
INSERT INTO product (customer_id, name, description, category, price, currency, status, image_url)
SELECT customer_id, name, description, category, price * 0.01, currency, 'active', image
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::text[])
  WITH ORDINALITY AS p (customer_id, name, description, category, price, currency, image, n)
ORDER BY n`;

export const PRODUCTS = `
SELECT product_id, customer_id, product.name, category, (price * 100)::bigint AS price_minor, currency
FROM product JOIN customer USING (customer_id)
WHERE product.status = 'active' AND price > 0
ORDER BY product_id`;

export const LAST_TRANSACTION = 'SELECT coalesce(max(transaction_id), 0) AS last FROM transaction';
export const LAST_INTERACTION = 'SELECT coalesce(max(interaction_id), 0) AS last FROM interaction';

export const PENDING_SALES = `
SELECT transaction_id AS id
FROM transaction
WHERE status = 'pending' AND session_id IS NOT NULL
ORDER BY transaction_id DESC
LIMIT $1`;

export const PLACE_SALES = `
WITH sale AS (
  INSERT INTO transaction
    (buyer_id, customer_id, transaction_date, total_amount, currency, payment_method, status, session_id)
  SELECT buyer_id, customer_id, to_timestamp(at / 1000), total * 0.01, currency, payment, status, session_id
  FROM unnest($1::bigint[], $2::bigint[], $3::float8[], $4::numeric[], $5::text[], $6::text[], $7::text[], $8::text[])
    WITH ORDINALITY AS s (buyer_id, customer_id, at, total, currency, payment, status, session_id, n)
  ORDER BY n
  RETURNING transaction_id
), placed AS (
  SELECT transaction_id, row_number() OVER (ORDER BY transaction_id) AS n FROM sale
), item AS (
  INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)
  SELECT transaction_id, product_id, quantity, price * 0.01
  FROM unnest($9::bigint[], $10::bigint[], $11::int[], $12::numeric[])
    WITH ORDINALITY AS i (sale, product_id, quantity, price, n)
  JOIN placed ON placed.n = i.sale
  ORDER BY i.n
)
SELECT transaction_id FROM placed ORDER BY n`;

export const CHANGE_STATUSES = `
UPDATE transaction SET status = c.new, status_changed_at = to_timestamp(c.at / 1000)
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float8[]) AS c (id, old, new, at)
WHERE transaction_id = c.id AND status = c.old`;

export const CHANGE_PRODUCTS = `
UPDATE product SET name = c.name, price = c.price * 0.01
FROM unnest($1::bigint[], $2::text[], $3::numeric[]) AS c (id, name, price)
WHERE product_id = c.id`;

export const RECORD_INTERACTIONS = `
INSERT INTO interaction (customer_id, interaction_type, channel, interaction_date, status, buyer_id, session_id,
  product_id, search_query, results_count, cart_step, cart_items, cart_total, currency)
SELECT customer_id, type, channel, to_timestamp(at / 1000), status, buyer_id, session_id,
  product_id, query, results, step, items::jsonb, total * 0.01, currency
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::bigint[], $7::text[],
    $8::bigint[], $9::text[], $10::int[], $11::text[], $12::text[], $13::numeric[], $14::text[])
  WITH ORDINALITY AS i (customer_id, type, channel, at, status, buyer_id, session_id,
    product_id, query, results, step, items, total, currency, n)
ORDER BY n`;
