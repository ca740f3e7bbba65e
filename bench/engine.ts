// How much the metrics engine costs beside reading the JSON at all: `node bench/engine.ts`.
import type { ShopEvent } from '../src/contracts/events/events.ts';
import { SEARCH_EXAMPLE, USER_BEHAVIOR_EXAMPLE } from '../src/contracts/events/interaction.ts';
import { TRANSACTION_EXAMPLE } from '../src/contracts/events/transaction.ts';
import { TRANSACTION_ITEM_EXAMPLE } from '../src/contracts/events/transaction-item.ts';
import { METRICS } from '../src/contracts/metrics.ts';
import { type Random, seededRandom } from '../src/lib/random.ts';
import { WindowEngine } from '../src/stages/metrics/embedded/window-engine.ts';
import type { BrokerRecord } from '../src/stores/broker/broker.ts';
import type { BenchResult } from './result.ts';

const EVENTS = 60_000;
const BATCH = 1_000;
const ROUNDS = 8;

/** The mix of a busy shop: a sale, its two items, and now and then a visit or a search; 1,000 sales/s. */
export function events(random: Random): readonly { topic: string; bytes: Uint8Array }[] {
  const start = 1_795_517_580_000;
  return Array.from({ length: EVENTS }, (_, i) => {
    const time = start + Math.floor(i / 3.4);
    const base = { event_time: time, committed_at: time + 5, captured_at: time + 9 };
    const [topic, event] = random.weighted<readonly [string, ShopEvent]>([
      [['transactions', sale(random, base)], 29],
      [['transaction_items', item(random, base)], 59],
      [['user_behavior', { ...USER_BEHAVIOR_EXAMPLE, ...base, session_id: `s-${random.int(1, 9_000)}` }], 9],
      [['searches', { ...SEARCH_EXAMPLE, ...base, search_query: `term ${random.int(1, 40)}` }], 3],
    ]);
    return { topic, bytes: Buffer.from(JSON.stringify(event)) };
  });
}

type Times = Pick<ShopEvent, 'event_time' | 'committed_at' | 'captured_at'>;

const sale = (random: Random, base: Times): ShopEvent => ({
  ...TRANSACTION_EXAMPLE,
  ...base,
  customer_id: random.int(1, 50),
  buyer_id: random.int(1, 100),
  total_amount_minor: random.int(100, 90_000),
  status: random.weighted([
    ['completed', 85],
    ['pending', 10],
    ['failed', 5],
  ]),
});

const item = (random: Random, base: Times): ShopEvent => ({
  ...TRANSACTION_ITEM_EXAMPLE,
  ...base,
  product_id: random.int(1, 200),
  buyer_id: random.int(1, 100),
  category: random.pick(['Electronics', 'Clothing', 'Books', 'Home', 'Toys']),
  amount_minor: random.int(100, 90_000),
});

/** Best of some rounds, taken in turns, so that a busy machine slows both alike. */
export async function bench(): Promise<readonly BenchResult[]> {
  const input = events(seededRandom('bench/engine'));
  const records = input.map(
    ({ topic, bytes }, offset): BrokerRecord => ({
      topic,
      partition: offset % 6,
      key: null,
      value: bytes,
      headers: { position: offset.toString(16).padStart(16, '0').concat('.00000000') },
      offset,
      timestamp: 0,
    }),
  );
  let [engineMs, parseMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let round = 0; round < ROUNDS; round++) {
    parseMs = Math.min(
      parseMs,
      timed(() => parseAll(records)),
    );
    engineMs = Math.min(
      engineMs,
      timed(() => applyAll(records)),
    );
  }
  const perSecond = (ms: number): number => Math.round((EVENTS / ms) * 1_000);
  return [
    {
      name: 'metrics engine: bytes to windows',
      value: perSecond(engineMs),
      unit: 'events/s',
      peer: 'bare JSON.parse of the same bytes',
      peerValue: perSecond(parseMs),
      ratio: parseMs / engineMs,
      target: '>= 0.5 of JSON.parse',
    },
  ];
}

function timed(action: () => void): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

function parseAll(records: readonly BrokerRecord[]): void {
  for (const { value } of records) JSON.parse((value as Buffer).toString());
}

function applyAll(records: readonly BrokerRecord[]): void {
  const sources = ['transactions', 'transaction_items', 'user_behavior', 'searches'].flatMap((topic) =>
    [0, 1, 2, 3, 4, 5].map((partition) => ({ topic, partition, topicId: topic, nextOffset: 0, lag: 0 })),
  );
  const engine = new WindowEngine({ definitions: METRICS, sources, state: null, now: 0 });
  for (let i = 0; i < records.length; i += BATCH) engine.apply(records.slice(i, i + BATCH), new Map(), 0);
  const counted = engine.accounting().events.reduce((sum, { count }) => sum + count, 0);
  if (counted !== records.length) throw new Error(`${counted} of ${records.length} events were counted`);
}

if (import.meta.main) console.table(await bench());
