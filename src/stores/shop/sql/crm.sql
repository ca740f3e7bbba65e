-- Visits, searches and carts. customer_id is the merchant; its row lives in the other database.
CREATE TABLE IF NOT EXISTS interaction (
  interaction_id bigserial PRIMARY KEY,
  customer_id bigint,
  interaction_type text NOT NULL,
  channel text,
  interaction_date timestamptz NOT NULL DEFAULT now(),
  status text
);

CREATE TABLE IF NOT EXISTS segment (
  segment_id bigserial PRIMARY KEY,
  segment_name text NOT NULL,
  criteria text
);

CREATE TABLE IF NOT EXISTS customersegment (
  customer_id bigint NOT NULL,
  segment_id bigint NOT NULL REFERENCES segment,
  PRIMARY KEY (customer_id, segment_id)
);
