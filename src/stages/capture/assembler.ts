import { UserError } from '../../lib/errors.ts';
import { type ChangeSet, FEED_COLUMNS, type Row, type RowChange } from '../../stores/shop/changes.ts';
import type { ShopNames } from '../../stores/shop/shop-names.ts';
import { type CaptureState, KINDS } from './capture-state.ts';
import type { Draft, Occasion } from './event.ts';
import { interactionEvent } from './interaction-events.ts';
import { NameCache } from './names.ts';
import { fitting } from './record-size.ts';
import {
  applyChange,
  decodeSale,
  encodeSale,
  itemId,
  type KnownSale,
  NO_SALE,
  revertChange,
  type Sale,
  saleIdsOf,
} from './sale.ts';
import { saleEvents } from './sale-events.ts';

const SALE_TABLES = new Set(['transaction', 'transactiondetail']);
const NAME_TABLES = new Set(['customer', 'buyer', 'product']);
const INTERACTION = FEED_COLUMNS.crm_db.interaction;

type StateUse = Pick<CaptureState, 'get' | 'put' | 'mayBeForgotten'>;

/** Turns change sets into drafts of events, against the state as of just before, which it moves on. */
export class Assembler {
  readonly #state: StateUse;
  readonly #names: NameCache;
  readonly #sales: Pick<ShopNames, 'sales'>;
  readonly #recordBytesMax: number;
  /** Sales that the state did not know, and that were looked up in the shop. */
  lookedUp = 0;

  constructor(state: StateUse, names: ShopNames, recordBytesMax: number) {
    this.#state = state;
    this.#names = new NameCache(names);
    this.#sales = names;
    this.#recordBytesMax = recordBytesMax;
  }

  /** Asks for the names of many sets at once: `assemble` then asks only for those of states it meets. */
  async prepare(sets: readonly ChangeSet[]): Promise<void> {
    for (const { changes } of sets) {
      for (const { table, after } of changes) {
        if (after === null || NAME_TABLES.has(table)) continue;
        this.#names.need('customer', after['customer_id']);
        if (table === 'transaction') this.#names.need('buyer', after['buyer_id']);
        if (table === 'transactiondetail') this.#names.need('product', after['product_id']);
      }
    }
    if (!this.#names.isComplete) await this.#names.load();
  }

  /** The drafts of one change set, in an order that depends on the rows alone. */
  async assemble({ changes }: ChangeSet, occasion: Occasion): Promise<readonly Draft[]> {
    const bySale = new Map<string, RowChange[]>();
    const drafts: Draft[] = [];
    for (const change of changes) {
      this.#names.observe(change);
      if (change.kind === 'truncate') throw truncated(change.table);
      if (SALE_TABLES.has(change.table)) {
        for (const id of saleIdsOf(change)) {
          const list = bySale.get(id);
          if (list) list.push(change);
          else bySale.set(id, [change]);
        }
      }
    }
    const steps = await this.#salesBefore(bySale);
    await this.#prepareNames(changes, steps);
    for (const { id, published, after } of steps) drafts.push(...this.#step(id, published, after, occasion));
    for (const change of changes) {
      if (change.table === 'interaction') drafts.push(...this.#interaction(change, occasion));
    }
    return drafts;
  }

  /** What brings the log from the published state of a sale to this one; it stays where it is if that is too large. */
  #step(id: string, published: Sale, after: Sale, occasion: Occasion): readonly Draft[] {
    const all = saleEvents(id, published, after, occasion, this.#names);
    const { drafts, fit } = fitting(all, this.#recordBytesMax);
    this.#state.put(KINDS.sale, Number(id), encodeSale({ sale: after, published: fit ? after : published }));
    return drafts;
  }

  async #salesBefore(bySale: ReadonlyMap<string, readonly RowChange[]>) {
    const unknown: string[] = [];
    const known = new Map<string, KnownSale>();
    for (const [id, changes] of bySale) {
      const body = this.#state.get(KINDS.sale, Number(id));
      if (body != null) known.set(id, decodeSale(body));
      // A sale that begins in this very set has no state before.
      else if (body === null || (changes[0]!.table === 'transaction' && changes[0]!.kind === 'insert')) {
        known.set(id, { sale: NO_SALE, published: NO_SALE });
      } else unknown.push(id);
    }
    const found = unknown.length > 0 ? await this.#lookUp(unknown) : null;
    return Array.from(bySale, ([id, changes]) => {
      const before = known.get(id);
      const sale =
        before?.sale ?? changes.reduceRight((was, change) => revertChange(was, id, change), found!.get(id)!);
      const after = changes.reduce((was, change) => applyChange(was, id, change), sale);
      return { id, published: before?.published ?? sale, after };
    });
  }

  async #lookUp(ids: readonly string[]): Promise<ReadonlyMap<string, Sale>> {
    this.lookedUp += ids.length;
    const { headers, items } = await this.#sales.sales(ids);
    const headerOf = new Map(headers.map((row) => [row['transaction_id'], row]));
    const itemsOf = Map.groupBy(items, (row) => row['transaction_id']);
    return new Map(
      ids.map((id) => [
        id,
        {
          header: headerOf.get(id) ?? null,
          items: new Map((itemsOf.get(id) ?? []).map((row) => [itemId(row), row])),
        },
      ]),
    );
  }

  async #prepareNames(
    changes: readonly RowChange[],
    steps: readonly { readonly published: Sale; readonly after: Sale }[],
  ): Promise<void> {
    for (const { published, after } of steps) {
      for (const { header, items } of [published, after]) {
        this.#names.need('customer', header?.['customer_id']);
        this.#names.need('buyer', header?.['buyer_id']);
        for (const row of items.values()) this.#names.need('product', row['product_id']);
      }
    }
    for (const { table, after, before } of changes) {
      if (table === 'interaction') this.#names.need('customer', (after ?? before)?.['customer_id']);
    }
    if (!this.#names.isComplete) await this.#names.load();
  }

  #interaction({ kind, before, after }: RowChange, occasion: Occasion): readonly Draft[] {
    const id = Number((after ?? before)!['interaction_id']);
    const body = this.#state.get(KINDS.interaction, id);
    const known = body == null ? before : decodeInteraction(body);
    const row: Row = { ...known, ...after };
    this.#state.put(KINDS.interaction, id, kind === 'delete' ? null : encodeInteraction(row));
    if (kind === 'insert' || known === null)
      return [interactionEvent('recorded', row, occasion, this.#names)];
    return this.#interactionChange(known, kind === 'delete' ? null : row, occasion);
  }

  /** A row that no event could hold was never recorded: its correction is, and its end is nobody's loss. */
  #interactionChange(before: Row, after: Row | null, occasion: Occasion): readonly Draft[] {
    const wasRecorded = interactionEvent('recorded', before, occasion, this.#names).outcome.kind === 'ok';
    if (after === null)
      return wasRecorded ? [interactionEvent('deleted', before, occasion, this.#names)] : [];
    return [interactionEvent(wasRecorded ? 'updated' : 'recorded', after, occasion, this.#names)];
  }

  /** Drafts that bring what was published to the state of a snapshot's row (null: the row is gone). */
  async sale(id: string, after: Sale, occasion: Occasion): Promise<readonly Draft[]> {
    const body = this.#state.get(KINDS.sale, Number(id));
    const published = body == null ? NO_SALE : decodeSale(body).published;
    await this.#prepareNames([], [{ published, after }]);
    if (body === undefined && this.#state.mayBeForgotten(KINDS.sale, Number(id))) {
      this.#state.put(KINDS.sale, Number(id), encodeSale({ sale: after, published: after }));
      return [];
    }
    return this.#step(id, published, after, occasion);
  }

  async interaction(id: number, row: Row | null, occasion: Occasion): Promise<readonly Draft[]> {
    const body = this.#state.get(KINDS.interaction, id);
    const before = body == null ? null : decodeInteraction(body);
    const after = row && encodeInteraction(row);
    this.#state.put(KINDS.interaction, id, after);
    if (after === (body ?? null)) return [];
    if (body === undefined && this.#state.mayBeForgotten(KINDS.interaction, id)) return [];
    await this.#prepareNames([{ table: 'interaction', kind: 'insert', before, after: row }], []);
    return before === null
      ? [interactionEvent('recorded', row!, occasion, this.#names)]
      : this.#interactionChange(before, row, occasion);
  }
}

const truncated = (table: string): UserError =>
  new UserError(
    `table ${table} was emptied with TRUNCATE, which does not say what was in it`,
    'Start once with --resnapshot: what is gone is taken back. Use DELETE where that matters.',
  );

const encodeInteraction = (row: Row): string =>
  JSON.stringify(INTERACTION.map((column) => row[column] ?? null));

function decodeInteraction(body: string): Row {
  const values = JSON.parse(body) as (string | null)[];
  return Object.fromEntries(INTERACTION.map((column, i) => [column, values[i] ?? null]));
}
