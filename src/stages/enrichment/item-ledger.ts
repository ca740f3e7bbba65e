import type { DeadLetterReason } from '../../contracts/dead-letter.ts';
import type { SaleItem, TransactionEvent } from '../../contracts/events/transaction.ts';
import type { TransactionItemEvent } from '../../contracts/events/transaction-item.ts';
import { eventId } from '../../lib/ids.ts';
import { majorOf } from '../../lib/money.ts';

/** The largest amount of a numeric(12,2) column. */
const AMOUNT_MINOR_MAX = 999_999_999_999;

/** An item whose figures make no sense: it does not enter the ledger. */
export interface RefusedItem {
  readonly event: TransactionItemEvent;
  readonly reason: Extract<DeadLetterReason, 'invalid_quantity' | 'amount_out_of_range'>;
  readonly message: string;
}

export interface ItemLedger {
  readonly items: readonly TransactionItemEvent[];
  readonly refused: readonly RefusedItem[];
}

/** What an item stands for in the ledger: the item, and the status of its sale. */
interface Entry {
  readonly item: SaleItem;
  readonly status: string;
}

/**
 * The ledger entries of a sale's items that one change of the sale makes (contracts/events/transaction-item.ts): an
 * item whose entry is as before makes none. Refused items are reported, and the sale's other items go on; what was
 * refused before never entered, so it is not taken back.
 */
export function itemLedger(sale: TransactionEvent): ItemLedger {
  const items: TransactionItemEvent[] = [];
  const refused: RefusedItem[] = [];
  const before = entriesBefore(sale);
  const after = entriesAfter(sale);
  for (const id of new Set([...before.keys(), ...after.keys()])) {
    const claimed = before.get(id);
    const old = claimed && faultOf(claimed.item) === null ? claimed : undefined;
    const now = after.get(id);
    const fault = now ? faultOf(now.item) : null;
    if (now && fault) {
      refused.push({ event: itemEvent(sale, now.item, now.status, undefined), ...fault });
      if (old) items.push(takenBack(sale, old));
    } else if (!now) {
      if (old) items.push(takenBack(sale, old));
    } else if (old && !sameProduct(old.item, now.item)) {
      // One record has one product: the old product's figures give the entry back, the new one's take it.
      items.push(takenBack(sale, old, '/moved'), itemEvent(sale, now.item, now.status, undefined));
    } else if (!old || !sameEntry(old, now)) {
      items.push(itemEvent(sale, now.item, now.status, old));
    }
  }
  return { items, refused };
}

const isGone = (sale: TransactionEvent): boolean => sale.op === 'deleted' || sale.op === 'withdrawn';

function entriesBefore(sale: TransactionEvent): ReadonlyMap<number, Entry> {
  if (sale.op === 'placed' || sale.op === 'restated') return new Map();
  const status = sale.previous_status ?? (isGone(sale) ? null : sale.status);
  return status === null ? new Map() : entries(sale.previous_items ?? sale.items, status);
}

const entriesAfter = (sale: TransactionEvent): ReadonlyMap<number, Entry> =>
  isGone(sale) ? new Map() : entries(sale.items, sale.status);

const entries = (items: readonly SaleItem[], status: string): ReadonlyMap<number, Entry> =>
  new Map(items.map((item) => [item.transaction_detail_id, { item, status }]));

const amountMinorOf = (item: SaleItem): number => item.unit_price_minor * item.quantity;

const sameProduct = (one: SaleItem, other: SaleItem): boolean =>
  one.product_id === other.product_id && one.category === other.category;

const sameEntry = (one: Entry, other: Entry): boolean =>
  one.status === other.status &&
  one.item.quantity === other.item.quantity &&
  amountMinorOf(one.item) === amountMinorOf(other.item);

function faultOf(item: SaleItem): Pick<RefusedItem, 'reason' | 'message'> | null {
  const name = `item ${item.transaction_detail_id}`;
  if (item.quantity < 1) return { reason: 'invalid_quantity', message: `${name}: quantity ${item.quantity}` };
  const amountMinor = amountMinorOf(item);
  if (Math.abs(amountMinor) <= AMOUNT_MINOR_MAX) return null;
  return { reason: 'amount_out_of_range', message: `${name}: amount ${amountMinor} (hundredths)` };
}

const takenBack = (sale: TransactionEvent, old: Entry, suffix = ''): TransactionItemEvent =>
  itemEvent(sale, old.item, isGone(sale) ? sale.op : 'removed', old, suffix);

function itemEvent(
  sale: TransactionEvent,
  item: SaleItem,
  status: string,
  old: Entry | undefined,
  suffix = '',
): TransactionItemEvent {
  const amountMinor = amountMinorOf(item);
  return {
    event_id: eventId(`${sale.event_id}/${item.transaction_detail_id}${suffix}`),
    event_time: sale.event_time,
    timestamp: sale.timestamp,
    committed_at: sale.committed_at,
    captured_at: sale.captured_at,
    schema_version: sale.schema_version,
    source: 'kafka_consumer',
    source_database: sale.source_database,
    source_position: sale.source_position,
    event_type: 'transaction_item',
    op: sale.op,
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
    amount: majorOf(amountMinor),
    amount_minor: amountMinor,
    previous_amount_minor: old ? amountMinorOf(old.item) : null,
    quantity: item.quantity,
    previous_quantity: old?.item.quantity ?? null,
    unit_price: item.unit_price,
    unit_price_minor: item.unit_price_minor,
    total_transaction_amount: sale.total_amount,
    currency: sale.currency,
    payment_method: sale.payment_method,
    transaction_status: status,
    previous_transaction_status: old?.status ?? null,
  };
}
