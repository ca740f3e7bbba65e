// The topics of the pipeline. A stage names a topic by this object, never by a string of its own.

/** Same number for every topic, so that a derived topic keeps its source's partition. */
export const PARTITIONS = 6;

export interface Topic {
  readonly name: string;
  readonly partitions: number;
  /** true: only the newest record of a key matters, and older ones may be removed. */
  readonly compacted: boolean;
}

const topic = (name: string, compacted = false): Topic => ({ name, partitions: PARTITIONS, compacted });

export const TOPICS = {
  transactions: topic('transactions'),
  userBehavior: topic('user_behavior'),
  searches: topic('searches'),
  cartEvents: topic('cart_events'),
  transactionItems: topic('transaction_items'),
  metrics: topic('metrics', true),
  deadLetters: topic('dead_letters'),
  /** Key = a dead letter's identity: it has been replayed. */
  deadLetterReplays: topic('dead_letter_replays', true),
  stageHealth: { name: 'stage_health', partitions: 1, compacted: true },
} as const satisfies Record<string, Topic>;

/**
 * What capture knows of the shop, for whoever takes over from it (cluster): its state's changes, one partition a
 * database, in the order of `ShopDatabase`. Beside TOPICS because one machine has the state file alone.
 */
export const CAPTURE_STATE_TOPIC: Topic = { name: 'capture_state', partitions: 2, compacted: true };

/**
 * What Spark counts (cluster with the Spark engine): its rows are in stages/metrics/spark/row.ts, and only the metrics
 * stage reads them. Beside TOPICS because the embedded engine has no use for it.
 */
export const SPARK_WINDOWS_TOPIC: Topic = { name: 'spark_windows', partitions: PARTITIONS, compacted: true };

/** What capture writes: one topic has exactly one source database. */
export const CAPTURED_TOPICS = [
  TOPICS.transactions,
  TOPICS.userBehavior,
  TOPICS.searches,
  TOPICS.cartEvents,
] as const;

/** What the loader and the metrics stage read. */
export const EVENT_TOPICS = [...CAPTURED_TOPICS, TOPICS.transactionItems] as const;

/** Record headers of the pipeline (UTF-8 strings). */
export const HEADERS = {
  /** Sortable position of the change in its source: see lib/position.ts. Rises in every partition. */
  position: 'position',
  /** `1` on rows of an initial snapshot: they never move the watermark. */
  snapshot: 'snapshot',
  /** `dead_letters/<partition>/<offset>` on a replayed dead letter: exempt from the position rule. */
  replayOf: 'replay_of',
  /** The only stage a replayed record is for (absent: every reader). */
  replayFor: 'replay_for',
} as const;
