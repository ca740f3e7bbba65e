// One statement stores a batch: rows, then the rollups of exactly the rows that were new.

/** Fields of the events that become columns, with their types. All events use a name in one meaning only. */
const FIELDS = `
  event_id uuid, event_type text, event_time bigint, op text, source text, source_database text,
  source_position text, customer_id bigint, customer_name text, buyer_id bigint, session_id text,
  product_id bigint, product_name text, category text, quantity bigint, currency text,
  transaction_id bigint, transaction_detail_id bigint, sale_time bigint,
  total_amount_minor bigint, amount_minor bigint, cart_total_minor bigint,
  previous_total_amount_minor bigint, previous_amount_minor bigint,
  status text, transaction_status text, previous_status text, previous_transaction_status text,
  interaction_type text, channel text, search_query text, results_count bigint`;

const instant = (ms: string) => `timestamptz 'epoch' + interval '1 ms' * ${ms}`;
const hour = `date_trunc('hour', "timestamp", 'UTC')`;

/** A row of a sale that became completed; an index of realtime_events holds exactly these. */
export const COMPLETED = `event_type = 'transaction' AND op <> 'items_changed' AND status = 'completed'
    AND previous_status IS DISTINCT FROM 'completed'`;
/** A row of somebody looking at a product; an index of realtime_events holds exactly these. */
export const VIEW = `op = 'recorded' AND event_type = 'user_behavior' AND interaction_type = 'product_inquiry'
    AND product_id IS NOT NULL`;
/** Of equal times the later batch is newer: the log keeps a session's order. */
const NEWER_CART = `excluded.cart_at >= coalesce(kept.cart_at, '-infinity')`;

/** Stands between the events; no JSON text can hold it. PostgreSQL parses lines faster than one large array. */
export const SEPARATOR = '\x1e';

/** $1: the events' JSON as it stands in the log, joined by SEPARATOR. Answers how many rows were added. */
export const INSERT_EVENTS = `
WITH incoming AS (
  SELECT raw, event.*,
         coalesce(event.total_amount_minor, event.amount_minor, event.cart_total_minor) AS minor,
         coalesce(event.previous_total_amount_minor, event.previous_amount_minor) AS previous_minor,
         coalesce(event.transaction_status, event.status) AS state,
         coalesce(event.previous_transaction_status, event.previous_status) AS previous_state
  FROM (SELECT line::jsonb AS raw FROM string_to_table($1, '${SEPARATOR}') AS line OFFSET 0) AS lines
  CROSS JOIN LATERAL jsonb_to_record(raw) AS event (${FIELDS})
), added AS (
  INSERT INTO realtime_events (
    event_type, "timestamp", event_time, customer_id, customer_name, product_id, product_name, category, amount,
    session_id, raw_data, source, event_id, op, buyer_id, quantity, currency, amount_minor, status,
    previous_status, previous_amount_minor, transaction_id, transaction_detail_id, sale_day, interaction_type,
    channel, search_query, results_count, source_database, source_position)
  SELECT event_type, ${instant('event_time')}, ${instant('event_time')}, customer_id, customer_name, product_id,
    product_name, category, minor / 100.0, session_id, raw, source, event_id, op, buyer_id, quantity, currency,
    minor, state, previous_state, previous_minor, transaction_id, transaction_detail_id,
    ((${instant('sale_time')}) AT TIME ZONE 'UTC')::date, interaction_type, channel, search_query, results_count,
    source_database, source_position
  FROM incoming
  ON CONFLICT (event_id, "timestamp") DO NOTHING
  RETURNING event_type, "timestamp", op, customer_id, buyer_id, session_id, product_id, interaction_type, currency,
    status, amount_minor, previous_status, previous_amount_minor, source_position
), sales AS (
  INSERT INTO sales_hourly AS kept
  SELECT ${hour}, customer_id, currency,
    count(*) FILTER (WHERE status = 'completed'),
    coalesce(sum(amount_minor) FILTER (WHERE status = 'completed'), 0),
    count(*) FILTER (WHERE previous_status = 'completed'),
    coalesce(sum(previous_amount_minor) FILTER (WHERE previous_status = 'completed'), 0),
    count(*) FILTER (WHERE status = 'pending' AND previous_status IS DISTINCT FROM status),
    count(*) FILTER (WHERE status = 'failed' AND previous_status IS DISTINCT FROM status),
    count(*) FILTER (WHERE status = 'refunded' AND previous_status IS DISTINCT FROM status)
  FROM added WHERE event_type = 'transaction' AND op <> 'items_changed'
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (hour, customer_id, currency) DO UPDATE SET
    completed = kept.completed + excluded.completed,
    gross_minor = kept.gross_minor + excluded.gross_minor,
    reversals = kept.reversals + excluded.reversals,
    reversals_minor = kept.reversals_minor + excluded.reversals_minor,
    pending = kept.pending + excluded.pending,
    failed = kept.failed + excluded.failed,
    refunded = kept.refunded + excluded.refunded
), counts AS (
  INSERT INTO events_hourly AS kept
  SELECT ${hour}, event_type, op, count(*), min("timestamp"), max("timestamp") FROM added
  GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
  ON CONFLICT (hour, event_type, op) DO UPDATE SET
    events = kept.events + excluded.events,
    first_at = least(kept.first_at, excluded.first_at),
    last_at = greatest(kept.last_at, excluded.last_at)
), customers AS (
  INSERT INTO event_customers SELECT DISTINCT customer_id FROM added WHERE customer_id IS NOT NULL ORDER BY 1
  ON CONFLICT DO NOTHING
), buyers AS (
  INSERT INTO buyers AS kept (buyer_id, customer_id, first_bought_at)
  SELECT buyer_id, customer_id, min("timestamp") FROM added
  WHERE ${COMPLETED} AND buyer_id IS NOT NULL AND customer_id IS NOT NULL
  GROUP BY 1, 2
  -- Nearly all have bought before: their rows are left alone.
  HAVING NOT EXISTS (
    SELECT FROM buyers AS known
    WHERE (known.buyer_id, known.customer_id) = (added.buyer_id, added.customer_id)
      AND known.first_bought_at <= min(added."timestamp"))
  ORDER BY 1, 2
  ON CONFLICT (buyer_id, customer_id) DO UPDATE
  SET first_bought_at = least(kept.first_bought_at, excluded.first_bought_at)
), carts AS (
  SELECT DISTINCT ON (session_id) session_id, "timestamp" AS cart_at, event_type AS cart_step, amount_minor
  FROM added
  WHERE op = 'recorded' AND event_type IN ('add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment')
  ORDER BY session_id, "timestamp" DESC, source_position DESC
), steps AS (
  SELECT session_id, max(customer_id) AS customer_id,
    count(*) FILTER (WHERE op IN ('placed', 'recorded')) AS events,
    count(*) FILTER (WHERE op = 'placed') AS sales,
    CASE WHEN bool_or(event_type IN ('transaction', 'checkout')) THEN 'conversion'
         WHEN bool_or(event_type = 'cart_abandonment') THEN 'cart_abandonment'
         ELSE 'bounce' END AS outcome,
    coalesce(max("timestamp") FILTER (WHERE op IN ('placed', 'recorded')), max("timestamp")) AS last_at,
    min("timestamp") FILTER (WHERE op IN ('placed', 'recorded')) AS first_at,
    min("timestamp") FILTER (WHERE ${VIEW}) AS viewed_at,
    min("timestamp") FILTER (WHERE event_type = 'add_to_cart') AS carted_at,
    min("timestamp") FILTER (WHERE event_type = 'checkout') AS checked_out_at,
    min("timestamp") FILTER (WHERE status = 'completed' AND event_type = 'transaction') AS bought_at,
    max("timestamp") FILTER (WHERE op = 'placed') AS ordered_at,
    coalesce(sum(amount_minor) FILTER (WHERE event_type = 'checkout'), 0) AS checkout_minor,
    coalesce(sum(amount_minor) FILTER (WHERE status = 'completed' AND event_type = 'transaction'), 0)
      - coalesce(sum(previous_amount_minor) FILTER (WHERE previous_status = 'completed'
          AND (status = 'completed' OR op IN ('withdrawn', 'deleted'))), 0) AS bought_minor,
    CASE WHEN min(currency) < max(currency) THEN 'mixed' ELSE min(currency) END AS currency
  FROM added
  WHERE session_id IS NOT NULL AND (op = 'recorded' OR event_type = 'transaction' AND op <> 'items_changed')
  GROUP BY 1
), sessions AS (
  INSERT INTO customer_sessions AS kept (session_id, customer_id, session_data, outcome, "timestamp", first_at,
    viewed_at, carted_at, checked_out_at, bought_at, ordered_at, cart_at, cart_step, cart_minor, checkout_minor,
    bought_minor, currency)
  SELECT session_id, customer_id, jsonb_build_object('events', events, 'sales', sales), outcome, last_at,
    coalesce(first_at, last_at), viewed_at, carted_at, checked_out_at, bought_at, ordered_at, cart_at, cart_step,
    coalesce(amount_minor, 0), checkout_minor, bought_minor, currency
  FROM steps LEFT JOIN carts USING (session_id) ORDER BY 1
  ON CONFLICT (session_id) DO UPDATE SET
    customer_id = coalesce(kept.customer_id, excluded.customer_id),
    session_data = jsonb_build_object(
      'events', (kept.session_data->>'events')::bigint + (excluded.session_data->>'events')::bigint,
      'sales', (kept.session_data->>'sales')::bigint + (excluded.session_data->>'sales')::bigint),
    outcome = CASE WHEN 'conversion' IN (kept.outcome, excluded.outcome) THEN 'conversion'
                   WHEN 'cart_abandonment' IN (kept.outcome, excluded.outcome) THEN 'cart_abandonment'
                   ELSE 'bounce' END,
    "timestamp" = CASE WHEN excluded.session_data->>'events' = '0' THEN kept."timestamp"
                       ELSE greatest(kept."timestamp", excluded."timestamp") END,
    first_at = least(kept.first_at, excluded.first_at),
    viewed_at = least(kept.viewed_at, excluded.viewed_at),
    carted_at = least(kept.carted_at, excluded.carted_at),
    checked_out_at = least(kept.checked_out_at, excluded.checked_out_at),
    bought_at = least(kept.bought_at, excluded.bought_at),
    ordered_at = greatest(kept.ordered_at, excluded.ordered_at),
    cart_at = greatest(kept.cart_at, excluded.cart_at),
    cart_step = CASE WHEN ${NEWER_CART} THEN excluded.cart_step ELSE kept.cart_step END,
    cart_minor = CASE WHEN ${NEWER_CART} THEN excluded.cart_minor ELSE kept.cart_minor END,
    checkout_minor = kept.checkout_minor + excluded.checkout_minor,
    bought_minor = kept.bought_minor + excluded.bought_minor,
    currency = CASE WHEN kept.currency <> excluded.currency THEN 'mixed'
                    ELSE coalesce(kept.currency, excluded.currency) END
)
SELECT count(*)::int AS added FROM added`;
