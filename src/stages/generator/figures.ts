// The original's figures: who buys what, and how people move through the shops.
import type { Category } from './words.ts';

export interface Profile {
  readonly name: string;
  readonly share: number;
  readonly categories: readonly Category[];
  readonly paymentMethods: readonly string[];
  /** Items of a sale, and pieces of an item: 1 to this many. */
  readonly itemsMax: number;
  readonly quantityMax: number;
}

export const PROFILES: readonly Profile[] = [
  {
    name: 'high_value',
    share: 0.15,
    categories: ['Electronics', 'Home'],
    paymentMethods: ['Credit Card', 'Wire Transfer'],
    itemsMax: 3,
    quantityMax: 2,
  },
  {
    name: 'regular',
    share: 0.6,
    categories: ['Clothing', 'Books'],
    paymentMethods: ['Credit Card', 'PayPal'],
    itemsMax: 3,
    quantityMax: 2,
  },
  {
    name: 'bargain_hunter',
    share: 0.25,
    categories: ['Toys', 'Books'],
    paymentMethods: ['PayPal'],
    itemsMax: 5,
    quantityMax: 3,
  },
];

/** One activity each 0.1 s, of which 70 % are sales. */
export const DEFAULT_SALES_PER_SECOND = 7;
export const SALE_SHARE = 0.7;
/** An interval between two activities is the mean times 0.8 to 1.2. */
export const JITTER = 0.2;

export const DISCOUNT_SHARE = 0.15;
/** Per cent off. */
export const DISCOUNT_MIN = 5;
export const DISCOUNT_MAX = 25;

export const FAILED_SHARE = 0.05;
export const PENDING_SHARE = 0.1;
/** What becomes of a pending sale, and when (seconds). */
export const PENDING_COMPLETES_SHARE = 0.85;
export const PENDING_SECONDS = [5, 30] as const;
/** Completed sales that are given back, and when. */
export const REFUND_SHARE = 0.02;
export const REFUND_SECONDS = [15, 90] as const;

export const STEPS = [
  ['page_view', 0.4],
  ['product_view', 0.25],
  ['search', 0.15],
  ['add_to_cart', 0.15],
  ['remove_from_cart', 0.05],
] as const;
export type Step = (typeof STEPS)[number][0];

/** What a step is called in crm_db.interaction. */
export const INTERACTION_TYPES = {
  page_view: 'website_visit',
  product_view: 'product_inquiry',
  search: 'search_query',
  add_to_cart: 'purchase_intent',
  remove_from_cart: 'cart_abandonment',
  checkout: 'purchase_intent',
  cart_abandonment: 'cart_abandonment',
} as const;

export const CHANNELS = ['website', 'mobile_app', 'desktop'] as const;
export const RESULTS_MAX = 50;

export interface Segment {
  readonly name: string;
  readonly share: number;
  /** Share of its sessions that buy. */
  readonly conversion: number;
  /** Steps before it buys or leaves: from, to. */
  readonly steps: readonly [number, number];
}

export const SEGMENTS: readonly Segment[] = [
  { name: 'explorer', share: 0.2, conversion: 0.15, steps: [4, 12] },
  { name: 'buyer', share: 0.35, conversion: 0.45, steps: [3, 8] },
  { name: 'researcher', share: 0.25, conversion: 0.25, steps: [6, 15] },
  { name: 'window_shopper', share: 0.2, conversion: 0.05, steps: [2, 6] },
];

/** Relative weights of the hours of a day (UTC): trough from 1 to 4, peak at 21. */
export const HOURS = [
  0.35, 0.18, 0.12, 0.1, 0.12, 0.2, 0.35, 0.55, 0.75, 0.9, 1.05, 1.2, 1.3, 1.2, 1.1, 1.1, 1.15, 1.3, 1.5, 1.8,
  2.1, 2.3, 1.6, 0.8,
] as const;
/** Relative weights of the days, from Sunday. */
export const WEEKDAYS = [0.2, 0.12, 0.13, 0.14, 0.16, 0.22, 0.3] as const;
/** Season by month, from January. */
export const MONTHS = [0.9, 0.9, 0.92, 0.95, 1, 0.98, 0.95, 0.92, 0.95, 1, 1.15, 1.3] as const;
