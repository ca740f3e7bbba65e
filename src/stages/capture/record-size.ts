// Whether the events of a change fit into records, found out before the state says that they are published.
import type { SaleItem, TransactionEvent } from '../../contracts/events/transaction.ts';
import { positionOf } from '../../lib/position.ts';
import { deadLetter, skip } from '../../lib/result.ts';
import { DEAD_LETTER_HEADROOM_BYTES } from '../../stores/broker/dead-letters.ts';
import type { Draft } from './event.ts';

/** Numbers, names of fields and separators take less, of an event and of one of its items. */
const EVENT_BYTES = 2_000;
const ITEM_BYTES = 400;
/** JSON writes a control character as six. */
const CHAR_BYTES = 6;
/** Filled in later. */
const POSITION_BYTES = positionOf(0n, 0).length;

/**
 * The drafts of one change of a sale, all of them or none: where one event is larger than a record may be it is a dead
 * letter, and what would go with it is not written.
 */
export function fitting(
  drafts: readonly Draft[],
  recordBytesMax: number,
): { readonly drafts: readonly Draft[]; readonly fit: boolean } {
  const bytesMax = recordBytesMax - DEAD_LETTER_HEADROOM_BYTES - POSITION_BYTES;
  const sizes = drafts.map(({ outcome }) =>
    outcome.kind === 'ok' ? bytesOf(outcome.value as TransactionEvent, bytesMax) : 0,
  );
  if (sizes.every((bytes) => bytes <= bytesMax)) return { drafts, fit: true };
  const refused = drafts.map((draft, index): Draft => {
    if (draft.outcome.kind !== 'ok') return draft;
    const bytes = sizes[index]!;
    return {
      ...draft,
      outcome:
        bytes > bytesMax
          ? deadLetter('record_too_large', `the event has ${bytes} bytes`)
          : skip('what goes with it is too large'),
    };
  });
  return { drafts: refused, fit: false };
}

/** The event's JSON in bytes, or 0 where a look at its texts tells that it is small enough. */
function bytesOf(event: TransactionEvent, bytesMax: number): number {
  let chars = 0;
  for (const value of Object.values(event)) if (typeof value === 'string') chars += value.length;
  const items: readonly SaleItem[] = event.previous_items
    ? [...event.items, ...event.previous_items]
    : event.items;
  for (const { product_name, category } of items) chars += product_name.length + category.length;
  const atMost = EVENT_BYTES + chars * CHAR_BYTES + items.length * ITEM_BYTES;
  return atMost <= bytesMax ? 0 : Buffer.byteLength(JSON.stringify(event));
}
