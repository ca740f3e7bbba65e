// The shop's port for who sells: what there is to sell, and sales, visits and changes written in batches.
// Money is integer minor units, instants are epoch ms. `customer` is the merchant, `buyer` the shopper.

export interface NewCustomer {
  readonly name: string;
  readonly businessName: string;
  readonly email: string;
  readonly phone: string;
  readonly subscriptionPlan: string;
  readonly logoUrl: string;
  readonly storeUrl: string;
}

export interface NewBuyer {
  readonly name: string;
  readonly email: string;
  readonly phone: string;
  readonly shippingAddress: string;
}

export interface NewProduct {
  /** Which of the new customers sells it, by place in the list. */
  readonly customerIndex: number;
  readonly name: string;
  readonly description: string;
  readonly category: string;
  readonly priceMinor: number;
  readonly currency: string;
  readonly imageUrl: string;
}

/** A shop before it opens. */
export interface NewShop {
  readonly customers: readonly NewCustomer[];
  readonly buyers: readonly NewBuyer[];
  readonly products: readonly NewProduct[];
}

export interface Product {
  readonly productId: number;
  readonly customerId: number;
  readonly name: string;
  readonly category: string;
  readonly priceMinor: number;
  readonly currency: string;
}

/** What there is to sell and to whom, each in order of its id, and how far the shop's numbering has come. */
export interface Catalogue {
  readonly buyerIds: readonly number[];
  /** Active products of customers that exist. */
  readonly products: readonly Product[];
  /** Highest ids so far, 0 when there is none. */
  readonly lastTransactionId: number;
  readonly lastInteractionId: number;
}

export interface SaleItem {
  readonly productId: number;
  readonly quantity: number;
  /** Charged for one piece, after discount. */
  readonly unitPriceMinor: number;
}

export interface NewSale {
  readonly buyerId: number;
  readonly customerId: number;
  readonly at: number;
  /** Sum of charged price x quantity over the items. */
  readonly totalMinor: number;
  readonly currency: string;
  readonly paymentMethod: string;
  readonly status: string;
  readonly sessionId: string;
  readonly items: readonly SaleItem[];
}

/** A sale leaves one status for another; nothing happens to a sale that is no longer in the first. */
export interface StatusChange {
  readonly transactionId: number;
  readonly from: string;
  readonly to: string;
  /** When, by the shop's clock. */
  readonly at: number;
}

export interface ProductChange {
  readonly productId: number;
  readonly name: string;
  readonly priceMinor: number;
}

export const CART_STEPS = ['add_to_cart', 'remove_from_cart', 'checkout', 'cart_abandonment'] as const;
export type CartStep = (typeof CART_STEPS)[number];

export interface CartItem {
  readonly productId: number;
  readonly productName: string;
  readonly priceMinor: number;
  readonly quantity: number;
}

export interface NewInteraction {
  readonly customerId: number;
  readonly buyerId: number;
  readonly sessionId: string;
  readonly interactionType: string;
  readonly channel: string;
  readonly at: number;
  readonly status: string;
  readonly productId: number | null;
  readonly search: { readonly query: string; readonly resultsCount: number } | null;
  /** The cart after the step. */
  readonly cart: {
    readonly step: CartStep;
    readonly items: readonly CartItem[];
    readonly totalMinor: number;
    readonly currency: string;
  } | null;
}

/**
 * Writes to both of the shop's databases; one call of a method at a time, and calls on sales and on interactions may
 * overlap. All methods reject with a retryable error (lib/retry.ts) on a passing fault: the batch was then written
 * whole or not at all, and which is not known. Each batch is one database transaction, rows in the order given.
 */
export interface Shop {
  /** Fills an empty shop, and tells whether it was empty; one that has a customer, buyer or product is left alone. */
  open(shop: NewShop): Promise<boolean>;
  catalogue(): Promise<Catalogue>;
  /** Ids of the newest sales with a session that are still pending, newest first. */
  pendingSales(limit: number): Promise<readonly number[]>;
  /** Header and items together. Resolves with the sales' ids in the order given. */
  placeSales(sales: readonly NewSale[]): Promise<readonly number[]>;
  /** Resolves with how many sales changed. A sale may stand in the batch once only. */
  changeStatuses(changes: readonly StatusChange[]): Promise<number>;
  changeProducts(changes: readonly ProductChange[]): Promise<void>;
  recordInteractions(interactions: readonly NewInteraction[]): Promise<void>;
  close(): Promise<void>;
}
