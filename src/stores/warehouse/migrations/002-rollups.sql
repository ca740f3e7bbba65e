-- Rollups, kept in the transaction that stores the rows. Half-empty pages keep their many updates in place.
CREATE TABLE sales_hourly (
  hour timestamptz NOT NULL,
  customer_id bigint NOT NULL,
  currency text NOT NULL,
  completed bigint NOT NULL,
  gross_minor numeric NOT NULL,
  reversals bigint NOT NULL,
  reversals_minor numeric NOT NULL,
  pending bigint NOT NULL,
  failed bigint NOT NULL,
  refunded bigint NOT NULL,
  PRIMARY KEY (hour, customer_id, currency)
) WITH (fillfactor = 50);

CREATE TABLE events_hourly (
  hour timestamptz NOT NULL,
  event_type text NOT NULL,
  op text NOT NULL,
  events bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (hour, event_type, op)
) WITH (fillfactor = 50);

-- Merchants that have events.
CREATE TABLE event_customers (
  customer_id bigint PRIMARY KEY
);

-- The original's sessions: one row a visit, its outcome the best it reached.
CREATE TABLE customer_sessions (
  session_id text PRIMARY KEY,
  customer_id bigint,
  session_data jsonb NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('conversion', 'cart_abandonment', 'bounce')),
  "timestamp" timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX customer_sessions_timestamp ON customer_sessions USING brin ("timestamp");
