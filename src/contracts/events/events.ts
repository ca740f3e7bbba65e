import type { z } from 'zod';
import { TOPICS } from '../topics.ts';
import {
  CART_EXAMPLE,
  type CartEvent,
  cartEventSchema,
  SEARCH_EXAMPLE,
  type SearchEvent,
  searchEventSchema,
  USER_BEHAVIOR_EXAMPLE,
  type UserBehaviorEvent,
  userBehaviorEventSchema,
} from './interaction.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent, transactionEventSchema } from './transaction.ts';
import {
  TRANSACTION_ITEM_EXAMPLE,
  type TransactionItemEvent,
  transactionItemEventSchema,
} from './transaction-item.ts';

export type ShopEvent = TransactionEvent | UserBehaviorEvent | SearchEvent | CartEvent | TransactionItemEvent;

/** Schema and one example of what stands in each event topic, by topic name. */
export const EVENT_CONTRACTS = {
  [TOPICS.transactions.name]: { schema: transactionEventSchema, example: TRANSACTION_EXAMPLE },
  [TOPICS.userBehavior.name]: { schema: userBehaviorEventSchema, example: USER_BEHAVIOR_EXAMPLE },
  [TOPICS.searches.name]: { schema: searchEventSchema, example: SEARCH_EXAMPLE },
  [TOPICS.cartEvents.name]: { schema: cartEventSchema, example: CART_EXAMPLE },
  [TOPICS.transactionItems.name]: { schema: transactionItemEventSchema, example: TRANSACTION_ITEM_EXAMPLE },
} as const satisfies Record<string, { schema: z.ZodType; example: ShopEvent }>;
