-- What a session did and when, so that people are counted without reading its events. A time is that of the first
-- such event; null: there was none. Money is in `currency`, that of all the session's carts and sales:
-- 'mixed' where they have several.
ALTER TABLE customer_sessions RENAME TO sessions_before;
CREATE TABLE customer_sessions (
  session_id text NOT NULL,
  customer_id bigint,
  session_data jsonb NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('conversion', 'cart_abandonment', 'bounce')),
  -- The session's last event.
  "timestamp" timestamptz NOT NULL,
  first_at timestamptz NOT NULL,
  -- A product was looked at, put into a cart, checked out; a sale became completed.
  viewed_at timestamptz,
  carted_at timestamptz,
  checked_out_at timestamptz,
  bought_at timestamptz,
  -- The last sale that was placed, whatever its status.
  ordered_at timestamptz,
  -- The last cart event, and the cart's value after it.
  cart_at timestamptz,
  cart_step text,
  cart_minor bigint NOT NULL,
  -- What its checkouts came to, and its completed sales (as amended, before refunds).
  checkout_minor bigint NOT NULL,
  bought_minor bigint NOT NULL,
  currency text
) WITH (fillfactor = 70);

-- Sessions of before, from their events, where these are still there.
WITH made AS (
  SELECT session_id,
    min("timestamp") FILTER (WHERE op IN ('placed', 'recorded')) AS first_at,
    min("timestamp") FILTER (WHERE event_type = 'user_behavior' AND interaction_type = 'product_inquiry'
                               AND product_id IS NOT NULL) AS viewed_at,
    min("timestamp") FILTER (WHERE event_type = 'add_to_cart') AS carted_at,
    min("timestamp") FILTER (WHERE event_type = 'checkout') AS checked_out_at,
    min("timestamp") FILTER (WHERE status = 'completed' AND event_type = 'transaction') AS bought_at,
    max("timestamp") FILTER (WHERE op = 'placed') AS ordered_at,
    sum(amount_minor) FILTER (WHERE event_type = 'checkout') AS checkout_minor,
    coalesce(sum(amount_minor) FILTER (WHERE status = 'completed' AND event_type = 'transaction'), 0)
      - coalesce(sum(previous_amount_minor) FILTER (WHERE previous_status = 'completed'
          AND (status = 'completed' OR op IN ('withdrawn', 'deleted'))), 0) AS bought_minor,
    CASE WHEN min(currency) < max(currency) THEN 'mixed' ELSE min(currency) END AS currency
  FROM realtime_events
  WHERE session_id IS NOT NULL AND (op = 'recorded' OR event_type = 'transaction' AND op <> 'items_changed')
  GROUP BY session_id
), carts AS (
  SELECT DISTINCT ON (session_id) session_id, "timestamp" AS cart_at, event_type AS cart_step, amount_minor
  FROM realtime_events
  WHERE session_id IS NOT NULL AND op = 'recorded'
    AND event_type IN ('add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment')
  ORDER BY session_id, "timestamp" DESC, source_position DESC
)
INSERT INTO customer_sessions
SELECT session_id, before.customer_id, before.session_data, before.outcome, before."timestamp",
  coalesce(made.first_at, before."timestamp"), made.viewed_at, made.carted_at, made.checked_out_at, made.bought_at,
  made.ordered_at, carts.cart_at, carts.cart_step, coalesce(carts.amount_minor, 0),
  coalesce(made.checkout_minor, 0), coalesce(made.bought_minor, 0), made.currency
FROM sessions_before AS before LEFT JOIN made USING (session_id) LEFT JOIN carts USING (session_id)
ORDER BY before."timestamp";

DROP TABLE sessions_before;
ALTER TABLE customer_sessions ADD PRIMARY KEY (session_id);
-- A day has as many sessions as sales: what is counted of them stands in the index.
CREATE INDEX customer_sessions_timestamp ON customer_sessions ("timestamp") INCLUDE (customer_id, first_at, viewed_at,
  carted_at, checked_out_at, bought_at, cart_minor, checkout_minor, bought_minor, currency);
-- Carts that were not checked out: few.
CREATE INDEX customer_sessions_carts ON customer_sessions ("timestamp")
  INCLUDE (customer_id, ordered_at, cart_at, cart_minor, currency)
  WHERE cart_minor > 0 AND cart_step <> 'checkout';

-- The first completed sale of each buyer at each merchant. Outlives the events: "ever" is since the first load.
CREATE TABLE buyers (
  buyer_id bigint NOT NULL,
  customer_id bigint NOT NULL,
  first_bought_at timestamptz NOT NULL,
  PRIMARY KEY (buyer_id, customer_id)
);
CREATE INDEX buyers_first_bought_at ON buyers (first_bought_at);
INSERT INTO buyers
SELECT buyer_id, customer_id, min("timestamp") FROM realtime_events
WHERE event_type = 'transaction' AND op <> 'items_changed' AND status = 'completed'
  AND previous_status IS DISTINCT FROM 'completed' AND buyer_id IS NOT NULL AND customer_id IS NOT NULL
GROUP BY 1, 2;

-- Sales that became completed, those of them that name no session, and looks at a product.
CREATE INDEX realtime_events_completed ON realtime_events ("timestamp", customer_id, buyer_id)
  WHERE event_type = 'transaction' AND op <> 'items_changed' AND status = 'completed'
    AND previous_status IS DISTINCT FROM 'completed';
CREATE INDEX realtime_events_sessionless ON realtime_events ("timestamp", customer_id)
  WHERE event_type = 'transaction' AND op <> 'items_changed' AND status = 'completed'
    AND previous_status IS DISTINCT FROM 'completed' AND session_id IS NULL;
CREATE INDEX realtime_events_views ON realtime_events ("timestamp", customer_id, product_id)
  WHERE op = 'recorded' AND event_type = 'user_behavior' AND interaction_type = 'product_inquiry'
    AND product_id IS NOT NULL;
