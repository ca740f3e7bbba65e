import type { Random } from '../../lib/random.ts';
import type { CartItem, CartStep, NewInteraction } from '../../stores/shop/shop.ts';
import * as figures from './figures.ts';
import type { Market, Visit } from './market.ts';
import type { Purchase } from './sales.ts';
import { SEARCH_TERMS } from './words.ts';

/** The people in the shops at the moment. */
export interface Sessions {
  /** What one of them does next. */
  step(at: number): NewInteraction;
  /** A cart that was checked out and waits for its sale; each comes once. */
  purchase(): Purchase | undefined;
}

interface Session extends Visit {
  readonly sessionId: string;
  readonly channel: string;
  readonly buys: boolean;
  stepsLeft: number;
  cart: readonly CartItem[];
}

/** At the default rate a visitor does something about every 20 s. */
const VISITORS = 64;
const SEARCHES_FOR_A_PRODUCT = 0.6;
const SEGMENT_WEIGHTS = figures.SEGMENTS.map((segment) => [segment, segment.share] as const);

export const cartTotal = (cart: readonly CartItem[]): number =>
  cart.reduce((sum, { priceMinor, quantity }) => sum + priceMinor * quantity, 0);

/**
 * Visitors whose steps fit together: a cart holds what was added and not removed, at the price it was added; those
 * who buy check out a cart that is not empty; a cart that is left behind is told once, when its session ends.
 */
export function openSessions(random: Random, market: Market, nextSessionId: () => string): Sessions {
  const visitors: Session[] = [];
  const leaving: Session[] = [];
  const checkedOut: Session[] = [];

  const arrive = (): Session => {
    const segment = random.weighted(SEGMENT_WEIGHTS);
    return {
      ...market.visit(random),
      sessionId: nextSessionId(),
      channel: random.pick(figures.CHANNELS),
      buys: random.next() < segment.conversion,
      stepsLeft: random.int(...segment.steps),
      cart: [],
    };
  };

  /** Some visitor for whom the step makes sense, searched from a random place on. */
  const find = (fits: (session: Session) => boolean): Session | undefined => {
    const start = random.int(0, visitors.length - 1);
    for (let i = 0; i < visitors.length; i++) {
      const session = visitors[(start + i) % visitors.length]!;
      if (fits(session)) return session;
    }
    return undefined;
  };

  const visitorFor = (step: figures.Step): Session | undefined => {
    if (step === 'remove_from_cart') return find(({ cart }) => cart.length > 0);
    if (step !== 'add_to_cart') return random.pick(visitors);
    return find((session) => wantsToLeave(session) && session.buys) ?? find(canAdd);
  };

  /** Ends a session whose steps are done; one that buys stays until it has something in its cart. */
  const settle = (session: Session): void => {
    if (!wantsToLeave(session) || (session.buys && session.cart.length === 0)) return;
    visitors.splice(visitors.indexOf(session), 1);
    if (session.cart.length > 0) leaving.push(session);
  };

  return {
    step(at) {
      const ending = leaving.shift();
      if (ending) {
        if (ending.buys) checkedOut.push(ending);
        return cartRow(ending, at, ending.buys ? 'checkout' : 'cart_abandonment', null);
      }
      while (visitors.length < VISITORS) visitors.push(arrive());
      const step = random.weighted(figures.STEPS);
      const session = visitorFor(step);
      if (session === undefined) return plainRow(random.pick(visitors), at, 'page_view', null);
      const row = perform(random, session, step, at);
      session.stepsLeft--;
      settle(session);
      return row;
    },
    purchase() {
      const session = checkedOut.shift();
      return session && { ...session, lines: session.cart };
    },
  };
}

const wantsToLeave = ({ stepsLeft }: Session) => stepsLeft <= 0;

const canAdd = ({ cart, offer, profile }: Session) =>
  cart.length < Math.min(profile.itemsMax, offer.products.length);

function perform(random: Random, session: Session, step: figures.Step, at: number): NewInteraction {
  const { cart, offer } = session;
  switch (step) {
    case 'page_view':
      return plainRow(session, at, step, null);
    case 'product_view':
      return plainRow(session, at, step, random.pick(offer.products).productId);
    case 'search': {
      const forProduct = random.next() < SEARCHES_FOR_A_PRODUCT;
      const query = forProduct ? random.pick(offer.products).name.toLowerCase() : random.pick(SEARCH_TERMS);
      const search = { query, resultsCount: random.int(0, figures.RESULTS_MAX) };
      return { ...plainRow(session, at, step, null), search };
    }
    case 'add_to_cart': {
      const inCart = new Set(cart.map(({ productId }) => productId));
      const product = random.pick(offer.products.filter(({ productId }) => !inCart.has(productId)));
      const { productId, name: productName, priceMinor } = product;
      const quantity = random.int(1, session.profile.quantityMax);
      session.cart = [...cart, { productId, productName, priceMinor, quantity }];
      return cartRow(session, at, step, productId);
    }
    case 'remove_from_cart': {
      const { productId } = random.pick(cart);
      session.cart = cart.filter((item) => item.productId !== productId);
      return cartRow(session, at, step, productId);
    }
  }
}

const plainRow = (
  { offer, buyerId, sessionId, channel }: Session,
  at: number,
  step: keyof typeof figures.INTERACTION_TYPES,
  productId: number | null,
): NewInteraction => ({
  customerId: offer.customerId,
  buyerId,
  sessionId,
  interactionType: figures.INTERACTION_TYPES[step],
  channel,
  at,
  status: 'completed',
  productId,
  search: null,
  cart: null,
});

const cartRow = (session: Session, at: number, step: CartStep, productId: number | null): NewInteraction => ({
  ...plainRow(session, at, step, productId),
  cart: {
    step,
    items: session.cart,
    totalMinor: cartTotal(session.cart),
    currency: session.offer.currency,
  },
});
