// One pass over the log, folded up to three cuts at once: the shop's, the warehouse's and the windows'.
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import { ledgerDigest } from '../../lib/digest.ts';
import { commitOf } from '../../lib/position.ts';
import type { BrokerRecord } from '../../stores/broker/broker.ts';
import { itemEntries, type LogEvent, saleEntries, windowStatus } from './entries.ts';
import type { Letters } from './letters.ts';
import { Once } from './once.ts';
import { dayOf, keyOf, Totals } from './sums.ts';
import { Visits } from './visits.ts';

export interface FoldCuts {
  /** Changes committed before these places are in the shop's sums; null: all of them are. */
  readonly instashop: bigint | null;
  readonly crm: bigint | null;
  /** Next offset per `topic/partition`. */
  readonly warehouse: ReadonlyMap<string, number>;
  readonly windows: ReadonlyMap<string, number>;
}

const SALES = TOPICS.transactions.name;
const ITEMS = TOPICS.transactionItems.name;
const LATER = 'future_event_time';

export class LogFold {
  readonly shop = { sales: new Totals(), items: new Totals(), visits: new Visits() };
  readonly warehouse = { sales: new Totals(), items: new Totals(), events: new Totals() };
  readonly windows = {
    sales: new Totals(),
    items: new Totals(),
    behavior: new Totals(),
    records: new Totals(),
  };
  readonly once = new Once();
  /** Records read, and those that are no JSON object (whoever reads them puts them aside). */
  records = 0;
  unreadable = 0;
  /** When the oldest record of each partition was written (epoch ms). */
  readonly oldest = new Map<string, number>();
  readonly #cuts: FoldCuts;
  readonly #letters: Letters;
  /** Replayed ones, by reader. */
  readonly #replayed = new Set<string>();

  constructor(cuts: FoldCuts, letters: Letters) {
    this.#cuts = cuts;
    this.#letters = letters;
  }

  /** Records of a partition in offset order. */
  take(record: BrokerRecord): void {
    const place = `${record.topic}/${record.partition}`;
    this.records++;
    if (!this.oldest.has(place)) this.oldest.set(place, record.timestamp);
    const event = parse(record.value);
    const first = this.once.take(record, event?.['event_id']);
    if (event === null) this.unreadable++;
    if (!first) return;
    const inWarehouse = record.offset < (this.#cuts.warehouse.get(place) ?? 0);
    const inWindows = record.offset < (this.#cuts.windows.get(place) ?? 0);
    if (event !== null && this.#isInShop(record, event)) this.#addToShop(record.topic, event);
    if (event !== null && inWarehouse && this.#isFor('loader', record, event)) {
      this.#addToWarehouse(record.topic, event);
    }
    if (inWindows) this.#takeForWindows(record, event);
  }

  #isInShop(record: BrokerRecord, event: LogEvent): boolean {
    const { [HEADERS.replayOf]: replay, [HEADERS.replayFor]: stage } = record.headers;
    // A replayed record stands in the log before; the items of a replayed sale, which are for every reader, do not.
    const stoodBefore = replay !== undefined && (record.topic !== ITEMS || stage !== undefined);
    if (stoodBefore || !this.#isNew('shop', record, event)) return false;
    const cut = record.topic === SALES || record.topic === ITEMS ? this.#cuts.instashop : this.#cuts.crm;
    return cut === null || commitOf(String(event['source_position'])) < cut;
  }

  #isNew(reader: string, { headers }: BrokerRecord, event: LogEvent | null): boolean {
    const replay = headers[HEADERS.replayOf];
    if (replay === undefined) return true;
    const id = `${reader}|${event?.['event_id']}`;
    if (this.#replayed.has(id)) return false;
    this.#replayed.add(id);
    return true;
  }

  /** Whether the reader took the record, as far as the dead letters tell. */
  #isFor(reader: string, record: BrokerRecord, event: LogEvent | null): boolean {
    const wanted = record.headers[HEADERS.replayFor];
    if (wanted !== undefined && wanted !== reader) return false;
    return this.#letters.reason(reader, record) === undefined && this.#isNew(reader, record, event);
  }

  #addToShop(topic: string, event: LogEvent): void {
    const { sales, items, visits } = this.shop;
    if (topic === SALES) this.#addEntries(sales, saleEntries(event), event);
    else if (topic === ITEMS) this.#addEntries(items, itemEntries(event), event);
    else visits.take(event);
  }

  #addToWarehouse(topic: string, event: LogEvent): void {
    const { sales, items, events } = this.warehouse;
    if (topic === SALES) addLedger(sales, saleEntries(event), event);
    else if (topic === ITEMS) addLedger(items, itemEntries(event), event);
    events.add(keyOf(dayOf(Number(event['event_time'])), String(event['event_type'])), 1);
  }

  #addEntries(totals: Totals, entries: ReturnType<typeof saleEntries>, event: LogEvent): void {
    if (!this.#letters.tooLarge.sales.has(Number(event['transaction_id']))) addLedger(totals, entries, event);
  }

  #takeForWindows(record: BrokerRecord, event: LogEvent | null): void {
    const { topic } = record;
    const { records } = this.windows;
    const again = record.headers[HEADERS.replayFor] !== undefined;
    const reason = this.#letters.reason('metrics', record);
    const refused = reason !== undefined && reason !== LATER;
    const day = dayOf(Number(event?.['event_time']));
    if (again) {
      // Counted where it was refused; it moves to its day. One dated ahead was in its day's sums already.
      const before = this.#letters.reasonOf(record.headers[HEADERS.replayOf]!);
      if (before === LATER || refused || !this.#isFor('metrics', record, event)) return;
      records.add(keyOf('', topic), -1);
    } else if (!this.#isNew('metrics', record, event)) return;
    records.add(keyOf(refused ? '' : day, topic), 1);
    if (!refused && event !== null) this.#addToWindows(topic, event, day);
  }

  #addToWindows(topic: string, event: LogEvent, day: string): void {
    const { sales, items, behavior } = this.windows;
    const currency = String(event['currency']);
    const side = (sign: number) => (sign > 0 ? 'entered' : 'left');
    if (topic === SALES) {
      for (const { sign, status, minor } of saleEntries(event)) {
        const ledger = windowStatus(status);
        if (ledger !== null) sales.add(keyOf(day, currency, ledger, side(sign)), 1, minor);
      }
    } else if (topic === ITEMS) {
      for (const { sign, status, minor } of itemEntries(event)) {
        if (status === 'completed') items.add(keyOf(day, currency, side(sign)), 1, minor);
      }
    } else if (event['op'] === 'recorded') {
      behavior.add(keyOf(day, String(event['interaction_type'])), 1);
    }
  }
}

function addLedger(totals: Totals, entries: ReturnType<typeof saleEntries>, event: LogEvent): void {
  const day = dayOf(Number(event['sale_time']));
  for (const { sign, id, status, minor } of entries) {
    const digest = ledgerDigest(id, status, minor);
    const key = keyOf(day, String(event['currency']), status);
    totals.add(key, sign, sign * minor, sign > 0 ? digest : -digest);
  }
}

function parse(value: Uint8Array): LogEvent | null {
  try {
    const event: unknown = JSON.parse(
      Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString(),
    );
    return typeof event === 'object' && event !== null ? (event as LogEvent) : null;
  } catch {
    return null;
  }
}
