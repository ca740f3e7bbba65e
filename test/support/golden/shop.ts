// A made-up shop for the golden sets and property tests: sales with a life, visits, searches, carts.
import {
  CART_EVENT_TYPES,
  CART_EXAMPLE,
  SEARCH_EXAMPLE,
  USER_BEHAVIOR_EXAMPLE,
} from '../../../src/contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../../src/contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../../../src/contracts/events/transaction-item.ts';
import { PARTITIONS } from '../../../src/contracts/topics.ts';
import { eventId } from '../../../src/lib/ids.ts';
import { partitionOf } from '../../../src/lib/partition.ts';
import { type Random, seededRandom } from '../../../src/lib/random.ts';
import type { Line } from './naive.ts';

const CURRENCIES = ['USD', 'EUR', 'ARS'];
const CATEGORIES = ['Books', 'Home', 'Toys'];
const STATUSES = ['completed', 'pending', 'failed', 'refunded', 'cancelled', 'on hold'];

type Step = readonly [op: TransactionEvent['op'], status: string];

interface Sale {
  readonly id: number;
  readonly customer: number;
  readonly amount: number;
  readonly currency: string;
  readonly status: string;
}

export interface Shop {
  /** A sale with its items: 3 lines. */
  sale(time: number): readonly Line[];
  /** The next thing that happens to an earlier sale: another status or amount, another currency, or its end. */
  change(time: number): readonly Line[];
  /** A visit, a search or a cart step. */
  visit(time: number): Line;
}

/** What every event carries, its event_id by `name` and a running number. */
type Stamp = (time: number, name: string) => Line['event'];

const line = (topic: string, key: number | string, event: Line['event']): Line => ({
  topic,
  partition: partitionOf(String(key), PARTITIONS),
  event,
});

/** The same seed makes the same shop. */
export function makeShop(seed: string): Shop {
  const random = seededRandom(seed);
  const sales: Sale[] = [];
  let number = 0;
  const stamp: Stamp = (time, name) => ({
    event_id: eventId(`${seed}/${name}/${++number}`),
    event_time: time,
    timestamp: new Date(time).toISOString(),
    committed_at: time + random.int(1, 40),
    captured_at: time + random.int(41, 90),
  });
  const entries = (
    time: number,
    op: TransactionEvent['op'],
    now: Sale,
    old: Sale | null,
  ): readonly Line[] => [
    headerLine({ ...stamp(time, 'sale'), op }, now, old, random.next() < 0.1 ? ' (new)' : ''),
    ...[1, 2].map((place) => itemLine({ ...stamp(time, 'item'), op }, place, now, old)),
  ];
  return {
    sale(time) {
      const sale = {
        id: 1_000 + sales.length,
        customer: random.int(1, 4),
        amount: random.int(100, 50_000),
        currency: random.pick(CURRENCIES),
        status: random.weighted(STATUSES.map((status, i) => [status, [70, 15, 5, 0, 2, 3][i]!])),
      };
      sales.push(sale);
      return entries(time, 'placed', sale, null);
    },
    change(time) {
      const place = random.int(0, sales.length - 1);
      const old = sales[place];
      if (old === undefined || old.status === 'deleted') return this.sale(time);
      const [op, status] = random.weighted<Step>([
        [['status_changed', random.pick(STATUSES.filter((one) => one !== old.status))], 6],
        [['amended', old.status], 2],
        [['items_changed', old.status], 1],
        [['deleted', 'deleted'], 1],
        [['withdrawn', 'withdrawn'], 1],
      ]);
      const amount = op === 'amended' ? random.int(100, 50_000) : old.amount;
      if (op !== 'withdrawn') {
        sales[place] = { ...old, status, amount };
        return entries(time, op, sales[place], old);
      }
      // Its currency changes: out of the old group, into the new one.
      const moved = { ...old, currency: random.pick(CURRENCIES.filter((one) => one !== old.currency)) };
      sales[place] = moved;
      return [...entries(time, op, { ...old, status }, old), ...entries(time, 'restated', moved, null)];
    },
    visit: (time) => visitLine(stamp(time, 'visit'), random),
  };
}

/** The entry that is taken back (`old`) and the one that is made (`now`). */
const headerLine = (stamp: Line['event'], now: Sale, old: Sale | null, suffix: string): Line =>
  line('transactions', now.id, {
    ...TRANSACTION_EXAMPLE,
    ...stamp,
    transaction_id: now.id,
    customer_id: now.customer,
    customer_name: `Shop ${now.customer}${suffix}`,
    buyer_id: (now.id * 7) % 11,
    total_amount: now.amount / 100,
    total_amount_minor: now.amount,
    currency: now.currency,
    payment_method: now.id % 2 === 0 ? 'Credit Card' : 'PayPal',
    status: now.status,
    previous_status: old?.status ?? null,
    previous_total_amount_minor: old?.amount ?? null,
    items: [],
  });

/** The first of a sale's two items is a third of it, the second the rest. */
function itemLine(stamp: Line['event'], place: number, now: Sale, old: Sale | null): Line {
  const third = (sale: Sale) => Math.floor(sale.amount / 3);
  const part = (sale: Sale) => (place === 1 ? third(sale) : sale.amount - third(sale));
  const product = (now.id * place) % 9;
  return line('transaction_items', now.id, {
    ...TRANSACTION_ITEM_EXAMPLE,
    ...stamp,
    transaction_id: now.id,
    transaction_detail_id: now.id * 10 + place,
    buyer_id: (now.id * 7) % 11,
    product_id: product,
    product_name: `Product ${product}`,
    category: CATEGORIES[product % 3],
    quantity: place,
    amount_minor: part(now),
    previous_amount_minor: old ? part(old) : null,
    previous_quantity: old ? place : null,
    currency: now.currency,
    transaction_status: now.status,
    previous_transaction_status: old?.status ?? null,
  });
}

function visitLine(stamp: Line['event'], random: Random): Line {
  const session = `s-${random.int(1, 12)}`;
  const common = {
    ...stamp,
    op: random.next() < 0.9 ? 'recorded' : 'updated',
    session_id: random.next() < 0.1 ? null : session,
  };
  const kind = random.int(0, 2);
  if (kind === 0) {
    const interaction_type = random.pick(['website_visit', 'product_inquiry']);
    return line('user_behavior', session, { ...USER_BEHAVIOR_EXAMPLE, ...common, interaction_type });
  }
  if (kind === 1) {
    const search_query = random.pick(['desk lamp', 'Würfel "groß"', 'chess', null]);
    const results_count = random.int(0, 2);
    return line('searches', session, { ...SEARCH_EXAMPLE, ...common, search_query, results_count });
  }
  return line('cart_events', session, {
    ...CART_EXAMPLE,
    ...common,
    event_type: random.pick(CART_EVENT_TYPES),
    cart_items: [],
    cart_total_minor: random.int(0, 9_000),
    currency: random.pick(CURRENCIES),
  });
}
