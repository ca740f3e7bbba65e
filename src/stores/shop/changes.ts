// The shop's change feed: every committed change of its tables, in commit order, whatever way it is had.

/** Column values as PostgreSQL writes them (text), null for SQL NULL, undefined for an unchanged TOAST value. */
export type Row = Readonly<Record<string, string | null | undefined>>;

export interface RowChange {
  readonly table: string;
  readonly kind: 'insert' | 'update' | 'delete';
  /** The row before: update and delete, where the table's replica identity gives it. */
  readonly before: Row | null;
  /** The row after: insert and update. */
  readonly after: Row | null;
}

/** The changes of one committed transaction, or a part of a large one. */
export interface ChangeSet {
  readonly database: string;
  /** Sortable place of the commit in the feed (LSN, or the cut of a poll); same for all parts. */
  readonly commit: bigint;
  /** The transaction's id, the same in every mode of capture. */
  readonly xid: string;
  /** Epoch ms. */
  readonly committedAt: number;
  readonly changes: readonly RowChange[];
  /** false: more parts of this transaction follow. */
  readonly last: boolean;
}

export interface ChangeFeed {
  readonly database: string;
  /**
   * The change sets after what was acknowledged, whole transactions in commit order, in batches as they come.
   * Sets that were delivered but not acknowledged come again after a restart. Ends when the signal aborts.
   */
  read(signal: AbortSignal): AsyncIterable<readonly ChangeSet[]>;
  /** Everything up to and including this commit is durable downstream: the shop may forget it. */
  ack(commit: bigint): void;
  /** Bytes (logical) or rows (polling) committed in the shop and not acknowledged. */
  lag(): Promise<number>;
}
