// The shop's change feed: every committed change of its tables, in commit order, whatever way it is had.

export type ShopDatabase = 'instashop' | 'crm_db';
/** In the order in which partitions are given to them. */
export const SHOP_DATABASES: readonly ShopDatabase[] = ['instashop', 'crm_db'];

/** Columns the feed delivers, by table: everything else (descriptions, addresses) stays where it is. */
export const FEED_COLUMNS = {
  instashop: {
    customer: ['customer_id', 'name', 'subscription_plan'],
    buyer: ['buyer_id', 'name', 'email'],
    product: ['product_id', 'name', 'category', 'price'],
    transaction: [
      'transaction_id',
      'buyer_id',
      'customer_id',
      'transaction_date',
      'total_amount',
      'payment_method',
      'status',
      'currency',
      'session_id',
      'status_changed_at',
    ],
    transactiondetail: ['transaction_detail_id', 'transaction_id', 'product_id', 'quantity', 'unit_price'],
  },
  crm_db: {
    interaction: [
      'interaction_id',
      'customer_id',
      'interaction_type',
      'channel',
      'interaction_date',
      'status',
      'buyer_id',
      'session_id',
      'product_id',
      'search_query',
      'results_count',
      'cart_step',
      'cart_items',
      'cart_total',
      'currency',
    ],
  },
} as const satisfies Record<ShopDatabase, Record<string, readonly string[]>>;

/** Column values as PostgreSQL writes them (text, UTC), null for SQL NULL; an unchanged TOAST value is absent. */
export type Row = Readonly<Record<string, string | null>>;

export interface RowChange {
  readonly table: string;
  readonly kind: 'insert' | 'update' | 'delete' | 'truncate';
  /** The row before, where the table's replica identity gives it (null columns may then be unknown ones). */
  readonly before: Row | null;
  /** The row after: insert and update. */
  readonly after: Row | null;
}

/** The changes of one committed transaction, or a part of a large one. Without changes: a sign of life. */
export interface ChangeSet {
  /** Sortable place of the commit in the feed (LSN, or the cut of a poll). */
  readonly commit: bigint;
  /** Number of this set within its commit, cut by rows alone: the same in every delivery. */
  readonly part: number;
  /** false: more sets of this commit follow. */
  readonly last: boolean;
  /** What to acknowledge once everything up to here is durable downstream. */
  readonly ackTo: bigint;
  /** The transaction's id, and from its second part on the part's number: the same in every mode of capture. */
  readonly xid: string;
  /** Epoch ms. */
  readonly committedAt: number;
  readonly changes: readonly RowChange[];
}

/** A consistent picture of the tables, as of one place in the feed. */
export interface ShopSnapshot {
  /** Before every change set that `read` delivers after it. */
  readonly commit: bigint;
  readonly ackTo: bigint;
  /** Epoch ms. */
  readonly takenAt: number;
  /** The rows of a table by primary key (items by sale), some thousands at a time; tables may be read side by side. */
  rows(table: string): AsyncIterable<readonly Row[]>;
  close(): Promise<void>;
}

/** What whoever reads the feed remembers of an earlier run. */
export interface FeedMemory {
  /** The highest `ackTo` ever acknowledged. */
  readonly acknowledged: bigint;
}

export interface FeedLag {
  /** Committed in the shop after `reached`: bytes of log, or rows of the change table. */
  readonly behind: number;
  /** Bytes of write-ahead log the shop keeps for us. */
  readonly retainedWalBytes: number;
}

export interface ChangeFeed {
  readonly database: ShopDatabase;
  /**
   * Resolves once this process owns the feed, or when the signal aborts; `waiting` is called when another one has it.
   * An owner that dies, is frozen for some seconds or cannot be reached loses it, so that another may go on: what is
   * written by it then must be fenced where it is written. Comes first; rejects with a retryable error.
   */
  acquire(signal: AbortSignal, waiting: () => void): Promise<void>;
  /** Lets another process own the feed. */
  release(): Promise<void>;
  /**
   * Prepares reading. Without a memory (the first run, or one that was told to start over) it resolves with a
   * snapshot, and `read` continues from exactly there; the caller closes the snapshot before it reads. With one it
   * resolves with null. Rejects with a UserError when the shop no longer has what comes after the memory, or has
   * forgotten more than we acknowledged; with a retryable error while a former owner is not gone yet.
   */
  open(memory: FeedMemory | null): Promise<ShopSnapshot | null>;
  /**
   * Sets in commit order, in batches as they come. What was delivered and not acknowledged comes again after a
   * restart. Ends when the signal aborts; rejects with a retryable error once the feed is owned no more.
   */
  read(signal: AbortSignal): AsyncIterable<readonly ChangeSet[]>;
  /** Everything up to here is durable downstream, and the caller will remember this number: the shop may forget it. */
  ack(ackTo: bigint): void;
  /** `reached`: the `ackTo` of the newest set that was processed. */
  lag(reached: bigint): Promise<FeedLag>;
  close(): Promise<void>;
}
