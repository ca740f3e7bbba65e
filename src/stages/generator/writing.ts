import type { StageCounts } from '../../lib/stage.ts';
import type { Shop, StatusChange } from '../../stores/shop/shop.ts';
import type { FollowUps } from './follow-ups.ts';
import type { Batch } from './plan.ts';

/** Upper bound of one UPDATE; more come in several. */
const STATUS_CHANGES_MAX = 10_000;

/** Counts up a figure. */
const count = ({ figures }: StageCounts, name: string, more: number): void => {
  figures[name] = (figures[name] ?? 0) + more;
};

/**
 * Writes a batch and status changes of earlier sales, to both databases at once, and notes what becomes of the new
 * sales. Both writes are over, whatever became of them, before a fault is thrown: nothing is in flight when the stage
 * runs again.
 */
export async function writeBatch(
  shop: Shop,
  batch: Batch,
  changes: readonly StatusChange[],
  followUps: Pick<FollowUps, 'add'>,
  counts: StageCounts,
): Promise<void> {
  const writes = [
    writeSales(shop, batch, changes, followUps, counts),
    writeInteractions(shop, batch, counts),
  ];
  for (const result of await Promise.allSettled(writes)) {
    if (result.status === 'rejected') throw result.reason;
  }
}

async function writeSales(
  shop: Shop,
  { sales, products }: Batch,
  changes: readonly StatusChange[],
  followUps: Pick<FollowUps, 'add'>,
  counts: StageCounts,
): Promise<void> {
  if (sales.length > 0) {
    const ids = await shop.placeSales(sales.map(({ sale }) => sale));
    for (const [index, id] of ids.entries()) followUps.add(id, sales[index]!.followUps);
    count(counts, 'sales', sales.length);
    counts.processed += sales.length;
    counts.newestAt = Math.max(counts.newestAt ?? 0, sales.at(-1)!.sale.at);
  }
  for (let from = 0; from < changes.length; from += STATUS_CHANGES_MAX) {
    const changed = await shop.changeStatuses(changes.slice(from, from + STATUS_CHANGES_MAX));
    count(counts, 'status_changes', changed);
  }
  if (products.size > 0) await shop.changeProducts([...products.values()]);
}

async function writeInteractions(shop: Shop, { interactions }: Batch, counts: StageCounts): Promise<void> {
  if (interactions.length === 0) return;
  await shop.recordInteractions(interactions);
  count(counts, 'interactions', interactions.length);
  counts.processed += interactions.length;
  counts.newestAt = Math.max(counts.newestAt ?? 0, interactions.at(-1)!.at);
}
