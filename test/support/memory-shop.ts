import type { Random } from '../../src/lib/random.ts';
import { newShop } from '../../src/stages/generator/catalogue.ts';
import type {
  Catalogue,
  NewInteraction,
  NewSale,
  NewShop,
  ProductChange,
  Shop,
} from '../../src/stores/shop/shop.ts';

export const SHOP_SIZE = { customers: 50, buyers: 100, products: 200 };

/** The catalogue an empty database has after it was filled: ids from 1 in order. */
export const catalogueOf = ({ buyers, products }: NewShop): Catalogue => ({
  buyerIds: buyers.map((_, index) => index + 1),
  products: products.map(({ customerIndex, ...product }, index) => ({
    productId: index + 1,
    customerId: customerIndex + 1,
    ...product,
  })),
  lastTransactionId: 0,
  lastInteractionId: 0,
});

export const newCatalogue = (random: Random): Catalogue => catalogueOf(newShop(random, SHOP_SIZE));

export interface MemoryShop extends Shop {
  readonly sales: (NewSale & { status: string })[];
  readonly interactions: NewInteraction[];
  readonly products: ProductChange[];
}

/** A shop in memory; `beforeWrite` may wait or throw. */
export function memoryShop(
  beforeWrite: (what: keyof Shop, rows: number) => void = () => undefined,
): MemoryShop {
  const sales: (NewSale & { status: string })[] = [];
  const interactions: NewInteraction[] = [];
  const products: ProductChange[] = [];
  let shop: NewShop | null = null;
  return {
    sales,
    interactions,
    products,
    async open(goods) {
      const empty = shop === null;
      shop ??= goods;
      return empty;
    },
    async catalogue() {
      const counts = { lastTransactionId: sales.length, lastInteractionId: interactions.length };
      return { ...catalogueOf(shop!), ...counts };
    },
    async pendingSales(limit) {
      return sales
        .flatMap(({ status }, index) => (status === 'pending' ? [index + 1] : []))
        .reverse()
        .slice(0, limit);
    },
    async placeSales(more) {
      beforeWrite('placeSales', more.length);
      return more.map((sale) => sales.push({ ...sale }));
    },
    async changeStatuses(changes) {
      beforeWrite('changeStatuses', changes.length);
      const there = changes.filter(({ transactionId, from }) => sales[transactionId - 1]?.status === from);
      for (const { transactionId, to } of there) sales[transactionId - 1]!.status = to;
      return there.length;
    },
    async changeProducts(changes) {
      products.push(...changes);
    },
    async recordInteractions(more) {
      beforeWrite('recordInteractions', more.length);
      interactions.push(...more);
    },
    async close() {},
  };
}
