import { z } from 'zod';
import { amountMinor, currencyCode, envelope, epochMs } from './envelope.ts';
import { TRANSACTION_EXAMPLE, TRANSACTION_OPS } from './transaction.ts';

/**
 * Topic `transaction_items`, key = transaction_id, same partition as its sale.
 *
 * The item's signed ledger entry: (transaction_status, amount_minor, quantity) is added, and where
 * `previous_transaction_status` is set, (previous_transaction_status, previous_amount_minor, previous_quantity) is
 * taken back. A removed item, or one of a deleted or withdrawn sale, has transaction_status `removed`, `deleted` or
 * `withdrawn`, which no metric counts as revenue.
 */
export const transactionItemEventSchema = z.object({
  ...envelope,
  event_type: z.literal('transaction_item'),
  op: z.enum(TRANSACTION_OPS),
  transaction_id: z.int(),
  transaction_detail_id: z.int(),
  customer_id: z.int(),
  customer_name: z.string(),
  customer_subscription: z.string().nullable(),
  buyer_id: z.int(),
  buyer_name: z.string(),
  buyer_email: z.string().nullable(),
  session_id: z.string().nullable(),
  /** transaction_date of the sale. */
  sale_time: epochMs,
  product_id: z.int(),
  product_name: z.string(),
  category: z.string(),
  /** Charged price x quantity. */
  amount: z.number(),
  amount_minor: amountMinor,
  previous_amount_minor: amountMinor.nullable(),
  quantity: z.int().min(1),
  previous_quantity: z.int().nullable(),
  unit_price: z.number(),
  unit_price_minor: amountMinor,
  total_transaction_amount: z.number(),
  currency: currencyCode,
  payment_method: z.string(),
  transaction_status: z.string(),
  previous_transaction_status: z.string().nullable(),
});
export type TransactionItemEvent = z.infer<typeof transactionItemEventSchema>;

const { items, previous_items, ...sale } = TRANSACTION_EXAMPLE;
const item = items[0]!;

export const TRANSACTION_ITEM_EXAMPLE: TransactionItemEvent = {
  event_id: '5f1f5a3e-4a57-5d0c-8a0e-2f6a55a1b0aa',
  event_time: sale.event_time,
  timestamp: sale.timestamp,
  committed_at: sale.committed_at,
  captured_at: sale.captured_at,
  schema_version: 1,
  source: 'kafka_consumer',
  source_database: sale.source_database,
  source_position: sale.source_position,
  event_type: 'transaction_item',
  op: 'placed',
  transaction_id: sale.transaction_id,
  transaction_detail_id: item.transaction_detail_id,
  customer_id: sale.customer_id,
  customer_name: sale.customer_name,
  customer_subscription: sale.subscription_plan,
  buyer_id: sale.buyer_id,
  buyer_name: sale.buyer_name,
  buyer_email: sale.buyer_email,
  session_id: sale.session_id,
  sale_time: sale.sale_time,
  product_id: item.product_id,
  product_name: item.product_name,
  category: item.category,
  amount: 59.98,
  amount_minor: 5998,
  previous_amount_minor: null,
  quantity: item.quantity,
  previous_quantity: null,
  unit_price: item.unit_price,
  unit_price_minor: item.unit_price_minor,
  total_transaction_amount: sale.total_amount,
  currency: sale.currency,
  payment_method: sale.payment_method,
  transaction_status: sale.status,
  previous_transaction_status: null,
};
