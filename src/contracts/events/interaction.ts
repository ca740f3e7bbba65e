import { z } from 'zod';
import { amountMinor, currencyCode, ENVELOPE_EXAMPLE, envelope } from './envelope.ts';

/** recorded: the row appeared. updated: its columns changed. deleted: it is gone. Metrics count only `recorded`. */
export const INTERACTION_OPS = ['recorded', 'updated', 'deleted'] as const;
export type InteractionOp = (typeof INTERACTION_OPS)[number];

/** What the three events made of a crm_db.interaction row have in common. Key = session_id, else interaction_id. */
const interaction = {
  ...envelope,
  op: z.enum(INTERACTION_OPS),
  interaction_id: z.int(),
  /** The merchant whose shop was visited. */
  customer_id: z.int().nullable(),
  customer_name: z.string().nullable(),
  buyer_id: z.int().nullable(),
  session_id: z.string().nullable(),
  interaction_type: z.string(),
  channel: z.string().nullable(),
  status: z.string().nullable(),
};

/** Topic `user_behavior`: every interaction that is neither a search nor a cart step. */
export const userBehaviorEventSchema = z.object({
  ...interaction,
  event_type: z.literal('user_behavior'),
  product_id: z.int().nullable(),
});
export type UserBehaviorEvent = z.infer<typeof userBehaviorEventSchema>;

/** Topic `searches`. `search_query` is null where the row names none. */
export const searchEventSchema = z.object({
  ...interaction,
  event_type: z.literal('search'),
  search_query: z.string().nullable(),
  results_count: z.int().min(0).nullable(),
});
export type SearchEvent = z.infer<typeof searchEventSchema>;

export const CART_EVENT_TYPES = ['add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment'] as const;

export const cartItemSchema = z.object({
  product_id: z.int(),
  product_name: z.string(),
  price: z.number(),
  quantity: z.int(),
});

/** Topic `cart_events`: the cart after the step, its items and its value. */
export const cartEventSchema = z.object({
  ...interaction,
  event_type: z.enum(CART_EVENT_TYPES),
  product_id: z.int().nullable(),
  cart_items: z.array(cartItemSchema),
  cart_total: z.number(),
  cart_total_minor: amountMinor,
  currency: currencyCode,
});
export type CartEvent = z.infer<typeof cartEventSchema>;
export type InteractionEvent = UserBehaviorEvent | SearchEvent | CartEvent;

const EXAMPLE = {
  ...ENVELOPE_EXAMPLE,
  source_database: 'crm_db',
  op: 'recorded' as const,
  interaction_id: 88,
  customer_id: 7,
  customer_name: 'Casa Luna',
  buyer_id: 31,
  session_id: 's-000000001a2b',
  channel: 'website',
  status: 'completed',
};

export const USER_BEHAVIOR_EXAMPLE: UserBehaviorEvent = {
  ...EXAMPLE,
  event_type: 'user_behavior',
  interaction_type: 'product_inquiry',
  product_id: 12,
};

export const SEARCH_EXAMPLE: SearchEvent = {
  ...EXAMPLE,
  event_type: 'search',
  interaction_type: 'search_query',
  search_query: 'desk lamp',
  results_count: 14,
};

export const CART_EXAMPLE: CartEvent = {
  ...EXAMPLE,
  event_type: 'add_to_cart',
  interaction_type: 'purchase_intent',
  product_id: 12,
  cart_items: [{ product_id: 12, product_name: 'Desk Lamp', price: 29.99, quantity: 2 }],
  cart_total: 59.98,
  cart_total_minor: 5998,
  currency: 'USD',
};
