// The port to the streaming query: what the rest of the stage asks of whoever runs it.
export interface QueryRun {
  /** Stands in every row; letters and digits. The query's own checkpoint is one a generation, never shared. */
  readonly generation: string;
  /** To be awaited before each start of the query: rejects once another process has taken over. */
  mayStart(): Promise<void>;
  readonly signal: AbortSignal;
}

/** The streaming query from the event topics to topic `spark_windows`, counting from their oldest records. */
export interface WindowsQuery {
  /** Raised when the same definitions are counted otherwise than before: that makes another generation. */
  readonly planVersion: number;
  /**
   * Keeps the query running until the signal aborts, then stops it and resolves: starts it from the checkpoint of its
   * generation or takes hold of it where it runs already, and starts it again, with back-off, when it fails. Rejects
   * where that cannot help, and with what `mayStart` rejects with. It may be called again after it has settled.
   */
  run(run: QueryRun): Promise<void>;
  /**
   * Whether at some moment after this call no batch was under way, nor one that was begun and must be run again: all
   * rows that were in the topic at the call are then of batches that are done. false where that cannot be told; it
   * matters when nothing more comes. (Spark's status says so: it waits for data, or for the next trigger.)
   */
  isAtRest(): Promise<boolean>;
  /** For the stage's health, by name. */
  figures(): Readonly<Record<string, number>>;
}
