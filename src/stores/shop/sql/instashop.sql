-- The shop's own database, as the original has it, with instants instead of naive timestamps.
-- customer is the merchant, buyer the shopper.
CREATE TABLE IF NOT EXISTS customer (
  customer_id bigserial PRIMARY KEY,
  name text NOT NULL,
  business_name text,
  email text,
  phone text,
  subscription_plan text,
  logo_url text,
  store_url text
);

CREATE TABLE IF NOT EXISTS buyer (
  buyer_id bigserial PRIMARY KEY,
  name text NOT NULL,
  email text,
  phone text,
  shipping_address text
);

CREATE TABLE IF NOT EXISTS product (
  product_id bigserial PRIMARY KEY,
  customer_id bigint NOT NULL REFERENCES customer,
  name text NOT NULL,
  description text,
  category text NOT NULL,
  price numeric(12,2) NOT NULL,
  currency char(3) NOT NULL DEFAULT 'USD',
  status text NOT NULL DEFAULT 'active',
  image_url text
);

CREATE TABLE IF NOT EXISTS transaction (
  transaction_id bigserial PRIMARY KEY,
  buyer_id bigint NOT NULL REFERENCES buyer,
  customer_id bigint NOT NULL REFERENCES customer,
  transaction_date timestamptz NOT NULL DEFAULT now(),
  total_amount numeric(12,2) NOT NULL,
  payment_method text NOT NULL,
  status text NOT NULL
);

CREATE TABLE IF NOT EXISTS transactiondetail (
  transaction_detail_id bigserial PRIMARY KEY,
  transaction_id bigint NOT NULL REFERENCES transaction,
  product_id bigint NOT NULL REFERENCES product,
  quantity int NOT NULL,
  unit_price numeric(12,2) NOT NULL
);

CREATE INDEX IF NOT EXISTS transactiondetail_transaction_id ON transactiondetail (transaction_id);
