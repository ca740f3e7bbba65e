-- Every event of the shop as one row. The first thirteen columns are the original's, for its readers.
CREATE TABLE realtime_events (
  id bigserial NOT NULL,
  event_type varchar(50) NOT NULL,
  "timestamp" timestamptz NOT NULL,
  customer_id bigint,
  customer_name text,
  product_id bigint,
  product_name text,
  category text,
  amount numeric(12, 2),
  session_id text,
  raw_data jsonb NOT NULL,
  processed_at timestamptz NOT NULL DEFAULT now(),
  source varchar(50),
  event_id uuid NOT NULL,
  -- The same as "timestamp", by the name the log has for it.
  event_time timestamptz NOT NULL,
  op text NOT NULL,
  buyer_id bigint,
  quantity bigint,
  currency text,
  amount_minor bigint,
  status text,
  previous_status text,
  previous_amount_minor bigint,
  transaction_id bigint,
  transaction_detail_id bigint,
  -- UTC day of the sale, whenever the change was.
  sale_day date,
  interaction_type text,
  channel text,
  search_query text,
  results_count bigint,
  source_database text NOT NULL,
  source_position text NOT NULL,
  -- A unique constraint of a partitioned table must hold the partition key; an event_id has one time only.
  UNIQUE (event_id, "timestamp")
) PARTITION BY RANGE ("timestamp");

-- Days that have no partition of their own: far in the past or in the future.
CREATE TABLE realtime_events_other PARTITION OF realtime_events DEFAULT;

-- The signed ledger (design: money): what each change adds (sign 1) and what it takes back (sign -1).
CREATE VIEW ledger_entries AS
SELECT e.event_type AS kind, e.sale_day, e.currency, entry.status, entry.sign, entry.amount_minor,
       coalesce(e.transaction_detail_id, e.transaction_id) AS entry_id
FROM realtime_events e
CROSS JOIN LATERAL (
  VALUES (1, e.status, e.amount_minor, e.op NOT IN ('deleted', 'withdrawn')
            AND (e.event_type = 'transaction' OR e.status <> 'removed')),
         (-1, e.previous_status, e.previous_amount_minor, e.previous_status IS NOT NULL)
) AS entry (sign, status, amount_minor, counts)
WHERE entry.counts
  AND (e.event_type = 'transaction_item' OR e.event_type = 'transaction' AND e.op <> 'items_changed');

-- How far each partition of the log was loaded: moved in the transaction that stores the rows.
CREATE TABLE loaded_offsets (
  topic text NOT NULL,
  partition integer NOT NULL,
  topic_id text NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (topic, partition)
);
