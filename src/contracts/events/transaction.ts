import { z } from 'zod';
import { amountMinor, currencyCode, ENVELOPE_EXAMPLE, envelope, epochMs } from './envelope.ts';

/**
 * The net effect of one database transaction on one sale.
 * placed: the sale appeared. status_changed: its status is another one. amended: another header column changed.
 * items_changed: only its items did. deleted: it is gone. withdrawn / restated: its currency or merchant
 * changed; the sale leaves its old group (withdrawn) and enters the new one (restated).
 */
export const TRANSACTION_OPS = [
  'placed',
  'status_changed',
  'amended',
  'items_changed',
  'deleted',
  'withdrawn',
  'restated',
] as const;
export type TransactionOp = (typeof TRANSACTION_OPS)[number];

/** An item as the shop has it. Whether its figures make sense is judged in enrichment, item by item. */
const saleItemSchema = z.object({
  transaction_detail_id: z.int(),
  product_id: z.int(),
  product_name: z.string(),
  category: z.string(),
  quantity: z.int(),
  /** What was charged for one piece. */
  unit_price: z.number(),
  unit_price_minor: amountMinor,
  /** The list price at the time of capture. */
  product_price: z.number(),
});
export type SaleItem = z.infer<typeof saleItemSchema>;

/**
 * Topic `transactions`, key = transaction_id.
 *
 * A signed ledger: the entry (status, total_amount_minor) is added, and where `previous_status` is set, the entry
 * (previous_status, previous_total_amount_minor) is taken back. For `deleted` and `withdrawn` there is only what is
 * taken back, and `status` is the op's own name. For `items_changed` the header's entry did not change and must not
 * be counted; likewise `previous_items` (absent: the same as `items`) is what the sale's items were before.
 */
export const transactionEventSchema = z.object({
  ...envelope,
  event_type: z.literal('transaction'),
  op: z.enum(TRANSACTION_OPS),
  transaction_id: z.int(),
  customer_id: z.int(),
  customer_name: z.string(),
  subscription_plan: z.string().nullable(),
  buyer_id: z.int(),
  buyer_name: z.string(),
  buyer_email: z.string().nullable(),
  session_id: z.string().nullable(),
  /** transaction_date of the sale; equals event_time when placed. */
  sale_time: epochMs,
  total_amount: z.number(),
  total_amount_minor: amountMinor,
  currency: currencyCode,
  payment_method: z.string(),
  /** completed, pending, failed, refunded, cancelled have a meaning; any other text is kept, and never revenue. */
  status: z.string(),
  previous_status: z.string().nullable(),
  previous_total_amount_minor: amountMinor.nullable(),
  items: z.array(saleItemSchema),
  previous_items: z.array(saleItemSchema).optional(),
});
export type TransactionEvent = z.infer<typeof transactionEventSchema>;

export const TRANSACTION_EXAMPLE: TransactionEvent = {
  ...ENVELOPE_EXAMPLE,
  event_type: 'transaction',
  op: 'placed',
  transaction_id: 1042,
  customer_id: 7,
  customer_name: 'Casa Luna',
  subscription_plan: 'premium',
  buyer_id: 31,
  buyer_name: 'Ana Torres',
  buyer_email: 'ana.torres@example.com',
  session_id: 's-000000001a2b',
  sale_time: ENVELOPE_EXAMPLE.event_time,
  total_amount: 59.98,
  total_amount_minor: 5998,
  currency: 'USD',
  payment_method: 'Credit Card',
  status: 'completed',
  previous_status: null,
  previous_total_amount_minor: null,
  items: [
    {
      transaction_detail_id: 2001,
      product_id: 12,
      product_name: 'Desk Lamp',
      category: 'Home',
      quantity: 2,
      unit_price: 29.99,
      unit_price_minor: 2999,
      product_price: 34.5,
    },
  ],
};
