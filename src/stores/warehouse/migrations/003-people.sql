-- What a session did and when, so that people are counted without reading its events. A time is that of the first
-- such event; null: there was none. Money is in `currency`, that of all the session's carts and sales:
-- 'mixed' where they have several.
ALTER TABLE customer_sessions
  ADD COLUMN first_at timestamptz,
  -- A product was looked at, put into a cart, checked out; a sale became completed.
  ADD COLUMN viewed_at timestamptz,
  ADD COLUMN carted_at timestamptz,
  ADD COLUMN checked_out_at timestamptz,
  ADD COLUMN bought_at timestamptz,
  -- The last sale that was placed, whatever its status.
  ADD COLUMN ordered_at timestamptz,
  -- The last cart event, and the cart's value after it.
  ADD COLUMN cart_at timestamptz,
  ADD COLUMN cart_step text,
  ADD COLUMN cart_minor bigint NOT NULL DEFAULT 0,
  -- What its checkouts came to, and its completed sales (as amended, before refunds).
  ADD COLUMN checkout_minor bigint NOT NULL DEFAULT 0,
  ADD COLUMN bought_minor bigint NOT NULL DEFAULT 0,
  ADD COLUMN currency text;

UPDATE customer_sessions AS kept
SET first_at = made.first_at, viewed_at = made.viewed_at, carted_at = made.carted_at,
    checked_out_at = made.checked_out_at, bought_at = made.bought_at, ordered_at = made.ordered_at,
    checkout_minor = made.checkout_minor, bought_minor = made.bought_minor, currency = made.currency
FROM (
  SELECT session_id,
    min("timestamp") FILTER (WHERE op IN ('placed', 'recorded')) AS first_at,
    min("timestamp") FILTER (WHERE op = 'recorded' AND event_type = 'user_behavior'
                               AND interaction_type = 'product_inquiry' AND product_id IS NOT NULL)
      AS viewed_at,
    min("timestamp") FILTER (WHERE op = 'recorded' AND event_type = 'add_to_cart') AS carted_at,
    min("timestamp") FILTER (WHERE op = 'recorded' AND event_type = 'checkout') AS checked_out_at,
    min("timestamp") FILTER (WHERE event_type = 'transaction' AND op <> 'items_changed'
                               AND status = 'completed') AS bought_at,
    max("timestamp") FILTER (WHERE op = 'placed') AS ordered_at,
    coalesce(sum(amount_minor) FILTER (WHERE op = 'recorded' AND event_type = 'checkout'), 0) AS checkout_minor,
    coalesce(sum(amount_minor) FILTER (WHERE event_type = 'transaction' AND op <> 'items_changed'
                                         AND status = 'completed'), 0)
      - coalesce(sum(previous_amount_minor) FILTER (WHERE event_type = 'transaction' AND previous_status = 'completed'
          AND op <> 'items_changed' AND (status = 'completed' OR op IN ('withdrawn', 'deleted'))), 0) AS bought_minor,
    CASE WHEN min(currency) = max(currency) THEN min(currency) WHEN min(currency) IS NOT NULL THEN 'mixed' END
      AS currency
  FROM realtime_events
  WHERE session_id IS NOT NULL AND (op = 'recorded' OR event_type = 'transaction' AND op <> 'items_changed')
  GROUP BY session_id
) AS made
WHERE made.session_id = kept.session_id;

UPDATE customer_sessions AS kept
SET cart_at = cart."timestamp", cart_step = cart.event_type, cart_minor = cart.amount_minor
FROM (
  SELECT DISTINCT ON (session_id) session_id, "timestamp", event_type, amount_minor
  FROM realtime_events
  WHERE session_id IS NOT NULL AND op = 'recorded'
    AND event_type IN ('add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment')
  ORDER BY session_id, "timestamp" DESC, source_position DESC
) AS cart
WHERE cart.session_id = kept.session_id;

-- "timestamp" is the session's last event.
DROP INDEX customer_sessions_timestamp;
CREATE INDEX customer_sessions_timestamp ON customer_sessions ("timestamp");
-- Carts that were not checked out: few.
CREATE INDEX customer_sessions_carts ON customer_sessions ("timestamp")
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
