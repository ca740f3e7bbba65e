// A snapshot of the shop, as the events that bring the log to that state.
import type { Position } from '../../lib/position.ts';
import { positionOf } from '../../lib/position.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import type { Row, ShopDatabase, ShopSnapshot } from '../../stores/shop/changes.ts';
import type { Assembler } from './assembler.ts';
import { type CaptureState, KINDS } from './capture-state.ts';
import type { Draft, Occasion } from './event.ts';
import { itemId, NO_SALE, type Sale } from './sale.ts';

export interface SnapshotParts {
  readonly database: ShopDatabase;
  readonly snapshot: ShopSnapshot;
  readonly state: CaptureState;
  readonly assembler: Assembler;
  readonly mainCurrency: string;
  readonly topicIds: string;
  readonly toRecord: (draft: Draft, position: Position) => OutgoingRecord | null;
  /** Called with the number of rows read so far, now and then. */
  readonly progress: (rows: number) => void;
}

/**
 * Compares the snapshot with what was published (nothing, the first time) and spools the differences in the state,
 * durable as a whole. Publishing the spool is the caller's.
 */
export async function takeSnapshot(parts: SnapshotParts): Promise<void> {
  const { database, snapshot, state, assembler, mainCurrency, topicIds, toRecord, progress } = parts;
  const { commit, takenAt, ackTo } = snapshot;
  const occasion: Occasion = {
    database,
    version: `snapshot-${commit}`,
    committedAt: takenAt,
    capturedAt: takenAt,
    mainCurrency,
  };
  let ordinal = 0;
  let rows = 0;
  type Spool = (record: OutgoingRecord) => void;
  const publish = (drafts: readonly Draft[], spool: Spool) => {
    for (const draft of drafts) {
      const record = toRecord(draft, positionOf(commit, ordinal++));
      if (record !== null) spool(record);
    }
    if (++rows % 50_000 === 0) progress(rows);
  };
  await state.takeSnapshot({
    place: { commit, part: 0, acknowledged: ackTo },
    name: `${commit}/${takenAt}`,
    topicIds,
    fill: async (spool) => {
      if (database === 'instashop') {
        for await (const [id, sale] of sales(snapshot))
          publish(await assembler.sale(id, sale, occasion), spool);
        return;
      }
      for await (const batch of snapshot.rows('interaction')) {
        for (const row of batch) {
          publish(await assembler.interaction(Number(row['interaction_id']), row, occasion), spool);
        }
      }
    },
    gone: async (kind, id, _body, spool) => {
      const drafts =
        kind === KINDS.sale
          ? await assembler.sale(String(id), NO_SALE, occasion)
          : await assembler.interaction(id, null, occasion);
      publish(drafts, spool);
    },
  });
}

/** Headers and items of the snapshot, both by sale, read side by side. */
async function* sales(snapshot: ShopSnapshot): AsyncIterable<readonly [string, Sale]> {
  const items = itemsBySale(snapshot);
  let next = await items.next();
  for await (const headers of snapshot.rows('transaction')) {
    for (const header of headers) {
      const id = header['transaction_id']!;
      while (!next.done && BigInt(next.value.saleId) < BigInt(id)) next = await items.next();
      const rows = !next.done && next.value.saleId === id ? next.value.rows : [];
      yield [id, { header, items: new Map(rows.map((row) => [itemId(row), row])) }];
    }
  }
}

async function* itemsBySale(snapshot: ShopSnapshot): AsyncGenerator<{ saleId: string; rows: Row[] }> {
  let saleId = '';
  let rows: Row[] = [];
  for await (const batch of snapshot.rows('transactiondetail')) {
    for (const row of batch) {
      if (row['transaction_id'] !== saleId) {
        if (rows.length > 0) yield { saleId, rows };
        saleId = row['transaction_id']!;
        rows = [];
      }
      rows.push(row);
    }
  }
  if (rows.length > 0) yield { saleId, rows };
}
