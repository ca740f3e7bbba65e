// A row of crm_db.interaction as the one event it makes.
import {
  CART_EVENT_TYPES,
  type CartEvent,
  cartItemSchema,
  type InteractionOp,
} from '../../contracts/events/interaction.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { majorOf, minorOf } from '../../lib/money.ts';
import { deadLetter, type Outcome, ok } from '../../lib/result.ts';
import type { Row } from '../../stores/shop/changes.ts';
import { type Draft, envelopeOf, type Occasion } from './event.ts';
import type { NameCache } from './names.ts';
import { epochMsOf, integerOf } from './values.ts';

type CartStep = CartEvent['event_type'];

const SEARCH_TYPES = new Set(['search_query', 'search']);
/** What a cart step is called where the row has no cart_step: the original's names, and the steps' own. */
const CART_TYPES = new Map<string, CartStep>([
  ['purchase_intent', 'add_to_cart'],
  ...CART_EVENT_TYPES.map((step) => [step, step] as const),
]);
const cartItems = cartItemSchema.array();

/** `row` is the row after, or for `deleted` the row that was. */
export function interactionEvent(
  op: InteractionOp,
  row: Row,
  occasion: Occasion,
  names: Pick<NameCache, 'get'>,
): Draft {
  const id = row['interaction_id']!;
  const type = row['interaction_type'] ?? 'unknown';
  const step = cartStep(row['cart_step'], type);
  const isSearch = step === null && (SEARCH_TYPES.has(type) || row['search_query'] != null);
  const topic = step !== null ? TOPICS.cartEvents : isSearch ? TOPICS.searches : TOPICS.userBehavior;
  const draft = (outcome: Draft['outcome']): Draft => ({ topic, key: row['session_id'] ?? id, outcome });

  const happenedAt = epochMsOf(row['interaction_date'] ?? '');
  if (happenedAt === null) {
    return draft(deadLetter('timestamp_out_of_range', `interaction_date is ${row['interaction_date']}`));
  }
  const what =
    op === 'recorded' ? `interaction/${id}/recorded` : `interaction/${id}/${op}/${occasion.version}`;
  const common = {
    ...envelopeOf(what, op === 'recorded' ? happenedAt : occasion.committedAt, occasion),
    op,
    interaction_id: Number(id),
    customer_id: integerOf(row['customer_id']),
    customer_name: names.get('customer', row['customer_id'])?.['name'] ?? null,
    buyer_id: integerOf(row['buyer_id']),
    session_id: row['session_id'] ?? null,
    interaction_type: type,
    channel: row['channel'] ?? null,
    status: row['status'] ?? null,
  };
  const product_id = integerOf(row['product_id']);
  if (step !== null) {
    const cart = readCart(row, occasion.mainCurrency);
    if (cart.kind !== 'ok') return draft(cart);
    return draft(ok({ ...common, event_type: step, product_id, ...cart.value }));
  }
  if (!isSearch) return draft(ok({ ...common, event_type: 'user_behavior' as const, product_id }));
  const results = integerOf(row['results_count']);
  if (results !== null && results < 0) return draft(deadLetter('schema', `results_count is ${results}`));
  const search_query = row['search_query'] ?? null;
  return draft(ok({ ...common, event_type: 'search' as const, search_query, results_count: results }));
}

const cartStep = (named: string | null | undefined, type: string): CartStep | null =>
  CART_EVENT_TYPES.find((step) => step === named) ?? CART_TYPES.get(type) ?? null;

type Cart = Pick<CartEvent, 'cart_items' | 'cart_total' | 'cart_total_minor' | 'currency'>;

function readCart(row: Row, mainCurrency: string): Outcome<Cart> {
  const currency = row['currency'] ?? mainCurrency;
  if (!/^[A-Z]{3}$/.test(currency)) return deadLetter('schema', `currency is ${JSON.stringify(currency)}`);
  const minor = minorOf(row['cart_total'] ?? '0');
  if (minor === null) return deadLetter('amount_out_of_range', `cart_total is ${row['cart_total']}`);
  // The column is jsonb, so its text is JSON.
  const items = cartItems.safeParse(JSON.parse(row['cart_items'] ?? '[]'));
  if (!items.success) return deadLetter('schema', `cart_items: ${items.error.issues[0]?.message}`);
  return ok({ cart_items: items.data, cart_total: majorOf(minor), cart_total_minor: minor, currency });
}
