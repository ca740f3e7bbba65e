import type { Random } from '../../lib/random.ts';
import type { NewBuyer, NewCustomer, NewProduct, NewShop } from '../../stores/shop/shop.ts';
import * as words from './words.ts';

export interface ShopSize {
  readonly customers: number;
  readonly buyers: number;
  readonly products: number;
}

interface Window {
  /** What stands together in a merchant's window, in turn. */
  readonly categories: readonly words.Category[];
  /** Of ten merchants, how many are like this, and how many products each has. */
  readonly merchants: number;
  readonly products: number;
}

const WINDOWS: readonly Window[] = [
  { categories: ['Electronics', 'Home'], merchants: 4, products: 4 },
  { categories: ['Clothing', 'Books'], merchants: 3, products: 3 },
  { categories: ['Toys', 'Books'], merchants: 3, products: 5 },
];

/** The 40 products of ten merchants: whose, the how many-th of that merchant, and of which category. */
const SLOTS = WINDOWS.flatMap(({ merchants, ...window }) =>
  Array<typeof window>(merchants).fill(window),
).flatMap(({ categories, products }, merchant) =>
  Array.from({ length: products }, (_, round) => ({
    merchant,
    round,
    category: categories[round % categories.length]!,
  })),
);

/** A shop to start with: the same for the same source of randomness. */
export function newShop(random: Random, size: ShopSize): NewShop {
  const customers = random.fork('customers');
  const buyers = random.fork('buyers');
  const products = random.fork('products');
  return {
    customers: Array.from({ length: size.customers }, (_, index) => customer(customers, index)),
    buyers: Array.from({ length: size.buyers }, (_, index) => buyer(buyers, index)),
    products: Array.from({ length: size.products }, (_, index) => product(products, index, size.customers)),
  };
}

const personOf = (random: Random) => `${random.pick(words.FIRST_NAMES)} ${random.pick(words.LAST_NAMES)}`;

/** Letters an address may have. */
const plain = (text: string) =>
  text
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '.');

const phone = (random: Random) => `+54 11 4${random.int(100, 999)}-${random.int(1000, 9999)}`;

function customer(random: Random, index: number): NewCustomer {
  const name = personOf(random);
  const places = words.SHOP_PLACES;
  const names = words.SHOP_NAMES;
  const shopName = names[Math.floor(index / places.length) % names.length];
  const businessName = `${places[index % places.length]} ${shopName}`;
  const site = `${plain(businessName).replaceAll('.', '-')}-${index + 1}.example`;
  return {
    name,
    businessName,
    email: `${plain(name)}@${site}`,
    phone: phone(random),
    subscriptionPlan: random.pick(['basic', 'premium', 'enterprise']),
    logoUrl: `https://${site}/logo.png`,
    storeUrl: `https://${site}`,
  };
}

function buyer(random: Random, index: number): NewBuyer {
  const name = personOf(random);
  return {
    name,
    email: `${plain(name)}.${index + 1}@example.com`,
    phone: phone(random),
    shippingAddress: `${random.pick(words.STREETS)} ${random.int(1, 4999)}, ${random.pick(words.CITIES)}`,
  };
}

function product(random: Random, index: number, customers: number): NewProduct {
  const { merchant, round, category } = SLOTS[index % SLOTS.length]!;
  const customerIndex = (Math.floor(index / SLOTS.length) * 10 + merchant) % customers;
  const { products, volatility } = words.CATEGORIES[category];
  const [base, usualMinor] = products[(customerIndex + round * 3) % products.length]!;
  const name = `${base} ${random.pick(words.PRODUCT_LINES)}`;
  return {
    customerIndex,
    name,
    description: `${name} from our ${category.toLowerCase()} range`,
    category,
    priceMinor: Math.round(usualMinor * (1 + volatility * (2 * random.next() - 1))),
    currency: 'USD',
    imageUrl: `https://images.example/${plain(base).replaceAll('.', '-')}.jpg`,
  };
}
