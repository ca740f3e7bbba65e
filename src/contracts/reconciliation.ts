/** Two places compared at one cut. Money in minor units of the main currency and others alike. */
export interface LiveComparison {
  /** `sales`, `items`, `visits`, `events`, `behavior` or `records`. */
  readonly what: string;
  readonly left: string;
  readonly right: string;
  readonly verdict: 'agree' | 'differ' | 'not compared';
  readonly left_rows: number;
  readonly right_rows: number;
  readonly left_minor: number;
  readonly right_minor: number;
  /** Groups (a day, a currency, a status) whose rows, money or contents are not the same. */
  readonly differing: number;
  readonly notes: readonly string[];
}

/** What `status --verify` found. */
export interface LiveReport {
  readonly verdict: 'agree' | 'differ';
  /** When the shop's state was taken, epoch ms. */
  readonly at: number;
  readonly took_ms: number;
  readonly comparisons: readonly LiveComparison[];
  /** Changes in the log's topics, and how many of them stand there more than once. */
  readonly changes: number;
  readonly repeats: number;
  /** Distinct dead letters by `stage reason`. */
  readonly dead_letters: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/**
 * `/api/v1/reconciliation`. `waiting`: for its next time; `off`: it is made by hand only; `unavailable`: this process
 * may not or cannot do it, and `message` says why (`last` is then what was found before, if anything).
 */
export interface LiveReconciliation {
  readonly state: 'waiting' | 'running' | 'off' | 'unavailable';
  readonly message: string | null;
  readonly last: LiveReport | null;
}

/** `/api/v1/dead-letters/replay`: what became of the letters that were there. */
export interface LiveReplay {
  readonly replayed: number;
  readonly before: number;
  readonly not_replayable: number;
}
