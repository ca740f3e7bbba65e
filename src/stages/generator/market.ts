import { UserError } from '../../lib/errors.ts';
import type { Random } from '../../lib/random.ts';
import type { Catalogue, Product, ProductChange } from '../../stores/shop/shop.ts';
import { PROFILES, type Profile } from './figures.ts';
import { CATEGORIES } from './words.ts';

/** What one merchant offers to one kind of buyer, in one currency. Never empty. */
export interface Offer {
  readonly customerId: number;
  readonly currency: string;
  readonly products: readonly Product[];
}

export interface Visit {
  readonly buyerId: number;
  readonly profile: Profile;
  readonly offer: Offer;
}

/** Who buys where, and what things cost at the moment. */
export interface Market {
  /** Some buyer at some merchant's that suits the buyer. */
  visit(random: Random): Visit;
  /** Changes a product's price within its category's volatility, and now and then its name. */
  change(random: Random): ProductChange;
}

/** Unknown categories (a shop of the user's own) move like these. */
const VOLATILITY = 0.05;
const RENAME_SHARE = 0.1;
const RENAMED = ' (new)';

type MutableProduct = { -readonly [K in keyof Product]: Product[K] };

/** The market of a catalogue. Rejects with a UserError when there is nobody to buy or nothing to sell. */
export function openMarket({ buyerIds, products }: Catalogue): Market {
  if (buyerIds.length === 0 || products.length === 0) {
    throw new UserError(
      `the shop has ${buyerIds.length} buyers and ${products.length} active products with a price: nothing can be sold`,
      'Add buyers and products, give the generator an empty database, or run with --generator off.',
    );
  }
  const usualPrice = new Map(products.map(({ productId, priceMinor }) => [productId, priceMinor]));
  const current: MutableProduct[] = products.map((product) => ({ ...product }));
  const profiles = PROFILES.map((profile, index) => ({
    profile,
    buyers: buyersOf(index, buyerIds),
    offers: offersFor(profile, current),
  })).filter(({ buyers }) => buyers.length > 0);
  const weights = profiles.map((entry) => [entry, entry.profile.share] as const);
  return {
    visit(random) {
      const { profile, buyers, offers } = random.weighted(weights);
      return { profile, buyerId: random.pick(buyers), offer: random.pick(offers) };
    },
    change(random) {
      const product = random.pick(current);
      const usual = usualPrice.get(product.productId)!;
      const { volatility } = CATEGORIES[product.category as keyof typeof CATEGORIES] ?? {
        volatility: VOLATILITY,
      };
      product.priceMinor = Math.max(1, Math.round(usual * (1 + volatility * (2 * random.next() - 1))));
      if (random.next() < RENAME_SHARE) {
        product.name = product.name.endsWith(RENAMED)
          ? product.name.slice(0, -RENAMED.length)
          : product.name + RENAMED;
      }
      return { productId: product.productId, name: product.name, priceMinor: product.priceMinor };
    },
  };
}

/** The buyers of a profile: the first 15 % by id are of the first, the next 60 % of the second, and so on. */
function buyersOf(profileIndex: number, buyerIds: readonly number[]): readonly number[] {
  const before = PROFILES.slice(0, profileIndex).reduce((sum, { share }) => sum + share, 0);
  const after = before + PROFILES[profileIndex]!.share;
  return buyerIds.slice(Math.round(before * buyerIds.length), Math.round(after * buyerIds.length));
}

/** The merchants that have most of the profile's categories, with their products of these (else with all). */
function offersFor({ categories }: Profile, products: readonly Product[]): readonly Offer[] {
  const byMerchant = Map.groupBy(products, ({ customerId, currency }) => `${customerId}/${currency}`);
  const all = [...byMerchant.values()].map((offered) => {
    const fitting = offered.filter(({ category }) => (categories as readonly string[]).includes(category));
    const { customerId, currency } = offered[0]!;
    return {
      match: new Set(fitting.map(({ category }) => category)).size,
      offer: { customerId, currency, products: fitting.length > 0 ? fitting : offered },
    };
  });
  const best = Math.max(...all.map(({ match }) => match));
  return all.filter(({ match }) => match === best).map(({ offer }) => offer);
}
