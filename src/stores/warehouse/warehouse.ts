// The warehouse port: every event as a row, rollups beside them, and how far each partition was loaded, all moved
// in one transaction.
import type { ShopEvent } from '../../contracts/events/events.ts';

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

export interface LoadResult {
  /** Rows added: records below the stored offset, or whose event_id is there already, add nothing. */
  readonly inserted: number;
  readonly repeated: number;
  /** Records the database refused for their content, with its message; nothing of them is stored. */
  readonly rejected: readonly { readonly record: LoadRecord; readonly message: string }[];
}

export interface HistoryPoint {
  /** Start of the hour, epoch ms. */
  readonly hour: number;
  readonly currency: string;
  readonly completed: number;
  readonly grossMinor: number;
  readonly reversals: number;
  readonly reversalsMinor: number;
  readonly pending: number;
  readonly failed: number;
  readonly refunded: number;
}

/** The original's "warehouse totals". */
export interface WarehouseTotals {
  readonly events: number;
  readonly transactions: number;
  readonly behaviors: number;
  readonly customers: number;
  readonly activeDays: number;
  readonly firstEventAt: number | null;
  readonly lastEventAt: number | null;
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
   */
  load(records: readonly LoadRecord[], offsets: readonly LoadedOffset[]): Promise<LoadResult>;
  /** From the rollups only: hours in [fromMs, toMs), oldest first; one merchant's when customerId is given. */
  history(fromMs: number, toMs: number, customerId?: number): Promise<readonly HistoryPoint[]>;
  /** Events per hour and type, from the rollups. */
  activity(
    fromMs: number,
    toMs: number,
  ): Promise<readonly { hour: number; eventType: string; events: number }[]>;
  totals(): Promise<WarehouseTotals>;
  /** Ledger and per-topic row counts and the offsets they belong to, read in one snapshot: for the accounting. */
  accounting(): Promise<{
    readonly ledger: readonly LedgerRow[];
    /** Rows per event_type and day of event_time. */
    readonly events: readonly { readonly eventType: string; readonly day: string; readonly rows: number }[];
    readonly offsets: ReadonlyMap<string, number>;
  }>;
  close(): Promise<void>;
}
