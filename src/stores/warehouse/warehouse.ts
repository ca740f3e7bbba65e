// The warehouse port: every event as a row, rollups beside them, and how far each partition was loaded, all moved
// in one transaction.
import type { DeadLetterReason } from '../../contracts/dead-letter.ts';
import type { ShopEvent } from '../../contracts/events/events.ts';
import { UserError } from '../../lib/errors.ts';

/** A validated event with where it stands in the log. */
export interface LoadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly event: ShopEvent;
  /** The event's JSON text as it stood in the log: becomes raw_data. */
  readonly json: string;
}

/** How far a partition is read once the batch is loaded, refused records included. */
export interface LoadedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly topicId: string;
  readonly nextOffset: number;
}

/** A record the database refused for its content, with its message; nothing of it is stored. */
export interface Rejected {
  readonly record: LoadRecord;
  readonly reason: Extract<DeadLetterReason, 'invalid_text' | 'warehouse_rejected'>;
  readonly message: string;
}

export interface LoadResult {
  readonly inserted: number;
  /** Records below the stored offset, or whose event_id is there already: they add nothing. */
  readonly repeated: number;
  readonly rejected: number;
}

/** Sales by the hour in which they entered or left a status (not the hour of the sale). */
export interface HistoryPoint {
  /** Start of the hour, epoch ms. */
  readonly hour: number;
  readonly currency: string;
  /** Entries into `completed`, and their amounts. */
  readonly completed: number;
  readonly grossMinor: number;
  /** Entries taken back from `completed`: net = gross - reversals. */
  readonly reversals: number;
  readonly reversalsMinor: number;
  /** Sales that entered these statuses; an amendment within the status is no entry. */
  readonly pending: number;
  readonly failed: number;
  readonly refunded: number;
}

/** The original's "warehouse totals". */
export interface WarehouseTotals {
  readonly events: number;
  /** Sales placed. */
  readonly transactions: number;
  /** Interactions recorded. */
  readonly behaviors: number;
  /** Merchants that have events. */
  readonly customers: number;
  readonly activeDays: number;
  readonly firstEventAt: number | null;
  readonly lastEventAt: number | null;
}

/** A cart is abandoned when its session did nothing for so long after it. */
export const ABANDONED_AFTER_MS = 30 * 60_000;
/** Sessions that were seen again so long after a range are no longer looked for in it: what bounds the search. */
export const SESSION_MS_MAX = 86_400_000;

/** Money of the sessions of one currency; those that had several are 'mixed'. */
export interface PeopleMoney {
  readonly currency: string;
  /** Of those with a cart: its value after its last change. */
  readonly cartMinor: number;
  readonly checkoutMinor: number;
  /** Completed sales as amended, before refunds. */
  readonly boughtMinor: number;
  /** Of `boughtMinor`, that of sessions that had checked out. */
  readonly boughtOfCheckedOutMinor: number;
  readonly abandoned: number;
  readonly abandonedMinor: number;
}

/** People of a range: each session and buyer once, so ranges cannot be added. */
export interface People {
  /** Sessions in their time, from the first to the last event, whatever the currency. */
  readonly sessions: number;
  /** Of these, those that had looked at a product, put one into a cart, checked out, completed a sale by the end. */
  readonly viewed: number;
  readonly carted: number;
  readonly checkedOut: number;
  readonly bought: number;
  /** Sessions that had done both a step and the one before it. */
  readonly cartedOfViewed: number;
  readonly checkedOutOfCarted: number;
  readonly boughtOfCheckedOut: number;
  readonly money: readonly PeopleMoney[];
  /** Completed sales that name no session: they are in no step. */
  readonly sessionlessSales: number;
  /** Different buyers of completed sales; and of these, those who never bought before (of this merchant, if any). */
  readonly buyers: number;
  readonly newBuyers: number;
}

/** Signed ledger sums of what is loaded: entries minus what was taken back. Sale's day, not the change's. */
export interface LedgerRow {
  /** `transaction` or `transaction_item`. */
  readonly kind: 'transaction' | 'transaction_item';
  /** Day of the sale (UTC), YYYY-MM-DD. */
  readonly day: string;
  readonly currency: string;
  readonly status: string;
  readonly rows: number;
  readonly amountMinor: number;
  /** Decimal sum of the entries' digests (lib/digest.ts), minus those taken back: the same in any order. */
  readonly digest: string;
}

export interface LatestSale {
  /** When it became completed, epoch ms. */
  readonly at: number;
  readonly customerName: string | null;
  readonly buyerId: number | null;
  readonly paymentMethod: string | null;
  readonly amountMinor: number;
  readonly currency: string;
}

export interface Warehouse {
  /** Creates or updates the schema, one process at a time. */
  migrate(): Promise<void>;
  /** Stored offsets, keyed `topic/partition`. */
  offsets(): Promise<ReadonlyMap<string, { readonly topicId: string; readonly nextOffset: number }>>;
  /**
   * In one transaction: locks the offset rows, drops records below them, inserts the rest by event_id, adds the newly
   * inserted ones to the rollups, moves the offsets, commits. An offset row of another topicId rejects with a
   * UserError (the topic was made anew). Rejects with a retryable error on a passing fault; nothing is stored then.
   * Records refused for their content are handed to `refuse` before the commit: when it rejects, nothing is stored.
   */
  load(
    records: readonly LoadRecord[],
    offsets: readonly LoadedOffset[],
    refuse: (rejected: readonly Rejected[]) => Promise<void>,
  ): Promise<LoadResult>;
  /** Drops the days older than the retention with their rollups; resolves with how many. */
  prune(): Promise<number>;
  /** From the rollups only: hours in [fromMs, toMs), oldest first; one merchant's when customerId is given. */
  history(fromMs: number, toMs: number, customerId?: number): Promise<readonly HistoryPoint[]>;
  /** Events per hour and type, from the rollups. */
  activity(
    fromMs: number,
    toMs: number,
  ): Promise<readonly { hour: number; eventType: string; events: number }[]>;
  totals(): Promise<WarehouseTotals>;
  /**
   * Exact figures of [fromMs, toMs), one merchant's when customerId is given; what happened later may change them (a
   * cart that is taken up again is no longer abandoned). Rejects when it takes over 15 s.
   */
  people(fromMs: number, toMs: number, customerId?: number): Promise<People>;
  /** Looks at a product in [fromMs, toMs), the most looked at first, at most `max`; ties by product id. */
  productViews(
    fromMs: number,
    toMs: number,
    max: number,
    customerId?: number,
  ): Promise<readonly { readonly productId: number; readonly views: number }[]>;
  /** The newest `max` sales that became completed, newest first; one merchant's when customerId is given. */
  latestSales(max: number, customerId?: number): Promise<readonly LatestSale[]>;
  /** Ledger and per-topic row counts and the offsets they belong to, read in one snapshot: for the accounting. */
  accounting(): Promise<{
    readonly ledger: readonly LedgerRow[];
    /** Rows per event_type and day of event_time. */
    readonly events: readonly { readonly eventType: string; readonly day: string; readonly rows: number }[];
    readonly offsets: ReadonlyMap<string, number>;
  }>;
  close(): Promise<void>;
}

/** The stored offsets of this topic belong to another one of the same name. */
export const topicMadeAnew = (topic: string): UserError =>
  new UserError(
    `topic ${topic} was made anew since the warehouse was loaded: its offsets mean other records now`,
    'If the log was lost on purpose, start over with `instashop reset`; else bring the old log back.',
  );
