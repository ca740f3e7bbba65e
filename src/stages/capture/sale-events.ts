// The net effect of a transaction on one sale, as ledger events.
import type { SaleItem, TransactionEvent, TransactionOp } from '../../contracts/events/transaction.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { majorOf, minorOf } from '../../lib/money.ts';
import { deadLetter, type Outcome, ok } from '../../lib/result.ts';
import type { Row } from '../../stores/shop/changes.ts';
import { type Draft, envelopeOf, type Occasion } from './event.ts';
import type { NameCache } from './names.ts';
import type { Sale } from './sale.ts';
import { epochMsOf, integerOf } from './values.ts';

/** Names as of now. */
type Names = Pick<NameCache, 'get'>;

/** A header whose every value an event can hold. */
interface Header {
  readonly customerId: number;
  readonly buyerId: number;
  readonly saleTime: number;
  readonly amountMinor: number;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly status: string;
  readonly sessionId: string | null;
}

const UNKNOWN = 'unknown';
const CURRENCY = /^[A-Z]{3}$/;

function readHeader(row: Row, mainCurrency: string): Outcome<Header> {
  const customerId = integerOf(row['customer_id']);
  const buyerId = integerOf(row['buyer_id']);
  const amountMinor = minorOf(row['total_amount'] ?? '');
  const saleTime = epochMsOf(row['transaction_date'] ?? '');
  const currency = row['currency'] ?? mainCurrency;
  if (amountMinor === null)
    return deadLetter('amount_out_of_range', `total_amount is ${row['total_amount']}`);
  if (saleTime === null)
    return deadLetter('timestamp_out_of_range', `transaction_date is ${row['transaction_date']}`);
  if (!CURRENCY.test(currency)) return deadLetter('schema', `currency is ${JSON.stringify(currency)}`);
  if (customerId === null) return deadLetter('schema', `customer_id is ${row['customer_id']}`);
  if (buyerId === null) return deadLetter('schema', `buyer_id is ${row['buyer_id']}`);
  return ok({
    customerId,
    buyerId,
    saleTime,
    amountMinor,
    currency,
    paymentMethod: row['payment_method'] ?? UNKNOWN,
    status: row['status'] ?? UNKNOWN,
    sessionId: row['session_id'] ?? null,
  });
}

function readItem(row: Row, names: Names): Outcome<SaleItem> {
  const quantity = integerOf(row['quantity']);
  const unitPriceMinor = minorOf(row['unit_price'] ?? '');
  const productId = integerOf(row['product_id']);
  const detailId = integerOf(row['transaction_detail_id']);
  if (unitPriceMinor === null) return deadLetter('amount_out_of_range', `unit_price is ${row['unit_price']}`);
  if (quantity === null) return deadLetter('invalid_quantity', `quantity is ${row['quantity']}`);
  if (productId === null || detailId === null)
    return deadLetter('schema', `product_id is ${row['product_id']}`);
  const product = names.get('product', row['product_id']);
  return ok({
    transaction_detail_id: detailId,
    product_id: productId,
    product_name: product?.['name'] ?? UNKNOWN,
    category: product?.['category'] ?? UNKNOWN,
    quantity,
    unit_price: majorOf(unitPriceMinor),
    unit_price_minor: unitPriceMinor,
    product_price: Number(product?.['price'] ?? majorOf(unitPriceMinor)),
  });
}

const sameHeader = (one: Header, other: Header): boolean =>
  (Object.keys(one) as (keyof Header)[]).every((name) => one[name] === other[name]);

const ITEM_FIELDS = ['product_id', 'quantity', 'unit_price'] as const;

const sameItem = (one: Row | undefined, other: Row): boolean =>
  one !== undefined && ITEM_FIELDS.every((field) => one[field] === other[field]);

const sameItems = (one: Sale['items'], other: Sale['items']): boolean =>
  one.size === other.size && Array.from(other).every(([id, row]) => sameItem(one.get(id), row));

/** What happened to a sale between two states of it; nothing where nothing did. */
export function saleEvents(
  id: string,
  before: Sale,
  after: Sale,
  occasion: Occasion,
  names: Names,
): readonly Draft[] {
  const draft = (outcome: Draft['outcome']): Draft => ({ topic: TOPICS.transactions, key: id, outcome });
  const was = before.header && readHeader(before.header, occasion.mainCurrency);
  const is = after.header && readHeader(after.header, occasion.mainCurrency);
  const from = was?.kind === 'ok' ? was.value : null;
  const to = is?.kind === 'ok' ? is.value : null;
  const changedAt = statusChangedAt(before, after);
  type Parts = Pick<SaleEventParts, 'op' | 'header' | 'previous' | 'sale'> & { readonly earlier?: Sale };
  const write = (parts: Parts) =>
    draft(ok(saleEvent({ earlier: null, ...parts, id, changedAt, occasion, names })));

  const drafts: Draft[] = [];
  if (is?.kind === 'deadLetter' && !sameRow(before.header, after.header)) drafts.push(draft(is));
  for (const [itemId, row] of after.items) {
    const item = sameItem(before.items.get(itemId), row) ? null : readItem(row, names);
    if (item?.kind === 'deadLetter') drafts.push(draft(item));
  }
  const sameGroup = from?.currency === to?.currency && from?.customerId === to?.customerId;
  if (from && to && sameGroup) {
    const items = sameItems(before.items, after.items);
    if (sameHeader(from, to) && items) return drafts;
    const op =
      from.status !== to.status ? 'status_changed' : sameHeader(from, to) ? 'items_changed' : 'amended';
    const earlier = items ? {} : { earlier: before };
    return [...drafts, write({ op, header: to, previous: from, sale: after, ...earlier })];
  }
  if (from) {
    const op = is === null ? 'deleted' : 'withdrawn';
    drafts.push(write({ op, header: from, previous: from, sale: before }));
  }
  if (to) {
    const op = was === null ? 'placed' : 'restated';
    drafts.push(write({ op, header: to, previous: null, sale: after }));
  }
  return drafts;
}

/** The shop's own time of a change that set it; changes by writers that do not know the column have none. */
function statusChangedAt({ header: before }: Sale, { header: after }: Sale): number | null {
  const text = after?.['status_changed_at'];
  return text && before && text !== before['status_changed_at'] ? epochMsOf(text) : null;
}

const sameRow = (one: Row | null, other: Row | null): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

interface SaleEventParts {
  readonly id: string;
  readonly op: TransactionOp;
  readonly header: Header;
  readonly previous: Header | null;
  readonly sale: Sale;
  /** The sale before, when its items were others. */
  readonly earlier: Sale | null;
  /** When the shop says it happened, where it does. */
  readonly changedAt: number | null;
  readonly occasion: Occasion;
  readonly names: Names;
}

function saleEvent(parts: SaleEventParts): TransactionEvent {
  const { id, op, header, previous, sale, earlier, changedAt, occasion, names } = parts;
  const customer = names.get('customer', String(header.customerId));
  const buyer = names.get('buyer', String(header.buyerId));
  const eventTime = op === 'placed' ? header.saleTime : (changedAt ?? occasion.committedAt);
  const what = op === 'placed' ? `transaction/${id}/placed` : `transaction/${id}/${op}/${occasion.version}`;
  const gone = op === 'deleted' || op === 'withdrawn';
  const itemsOf = ({ items }: Sale): SaleItem[] =>
    Array.from(items.values(), (row) => readItem(row, names)).flatMap((item) =>
      item.kind === 'ok' ? item.value : [],
    );
  return {
    ...envelopeOf(what, eventTime, occasion),
    event_type: 'transaction',
    op,
    transaction_id: Number(id),
    customer_id: header.customerId,
    customer_name: customer?.['name'] ?? UNKNOWN,
    subscription_plan: customer?.['subscription_plan'] ?? null,
    buyer_id: header.buyerId,
    buyer_name: buyer?.['name'] ?? UNKNOWN,
    buyer_email: buyer?.['email'] ?? null,
    session_id: header.sessionId,
    sale_time: header.saleTime,
    total_amount: majorOf(header.amountMinor),
    total_amount_minor: header.amountMinor,
    currency: header.currency,
    payment_method: header.paymentMethod,
    status: gone ? op : header.status,
    previous_status: previous?.status ?? null,
    previous_total_amount_minor: previous?.amountMinor ?? null,
    items: itemsOf(sale),
    ...(earlier ? { previous_items: itemsOf(earlier) } : {}),
  };
}
