// A row of topic `spark_windows`: what the streaming query has counted so far in one group. The contract between the
// query (plan.ts) and the half of the stage that closes, names and publishes.

/** Definition names of the rows that no metric shows: they account for what was read. */
export const BOOKKEEPING = {
  /** `_ledger/<definition>`. */
  ledger: '_ledger/',
  events: '_events',
  source: '_source',
  refused: '_refused',
} as const;

/** First key of a `_ledger/...` row. */
export const LEDGER_FATES = ['taken', 'quarantined', 'unquarantined'] as const;

/**
 * Fourth key of a `_source` row. Every record has one of the first seven. A replayed dead letter of this stage that
 * was refused again (or quarantined again) counted when it was refused first; one that found its place has, beside
 * `taken`, `taken_snapshot` or `ignored`, what is taken back: `unrefused`, or `unquarantined`.
 */
export const SOURCE_CLASSES = [
  /** Some definition takes it, in time or not. */
  'taken',
  /** The same, of an initial snapshot. */
  'taken_snapshot',
  /** No definition takes it; with day '' a replay that is for another stage, which is no event of ours. */
  'ignored',
  'quarantined',
  'refused',
  'quarantined_again',
  'refused_again',
  'unquarantined',
  'unrefused',
] as const;
export type SourceClass = (typeof SOURCE_CLASSES)[number];

/**
 * The rows, by `definition`:
 * * a metric's name: one window of one group. `values` are its aggregates in declared order, `labels` its labels.
 * * `_ledger/<definition>`: key = [one of LEDGER_FATES, day YYYY-MM-DD, ledger group], never expires. `values` as the
 *   definition's, of which counts and sums mean something: of all events it takes, whether in time or not.
 * * `_events`: key = [topic], one window: how many events some definition took; values = [how many of them were
 *   snapshot rows].
 * * `_source`: key = [topic, partition, day or '', one of SOURCE_CLASSES], never expires. values = [greatest offset,
 *   newest event time of those that may move the watermark, or null].
 * * `_refused`: key = [topic, partition, offset, reason, message] of one record that must be a dead letter.
 */
export interface SparkRow {
  /** Which definitions, plan and start counted it: rows of two generations must not be mixed. */
  readonly generation: string;
  /** Of the micro-batch that wrote it, epoch ms: rises with each; a batch that is run again has the same. */
  readonly batchMs: number;
  readonly definition: string;
  /** Values of the group as texts. */
  readonly key: readonly (string | null)[];
  /** Exclusive, epoch ms; 0: no window, the row never expires. */
  readonly windowEnd: number;
  /** Only grows. */
  readonly events: number;
  readonly values: readonly (number | null)[];
  readonly labels: readonly (string | null)[];
  /** Epoch ms; 0 where no event could be read. */
  readonly newestEventTime: number;
  readonly newestCommittedAt: number;
}

/** Parses a row as the query writes it. Throws an Error that says what is wrong. */
export function parseSparkRow(value: Uint8Array): SparkRow {
  const row: unknown = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString());
  if (typeof row !== 'object' || row === null) throw new Error('a row of spark_windows is no object');
  const fields = row as Readonly<Record<string, unknown>>;
  return {
    generation: text(fields, 'g'),
    batchMs: count(fields, 'b'),
    definition: text(fields, 'd'),
    key: list(fields, 'k', 'string') as readonly (string | null)[],
    windowEnd: count(fields, 'w'),
    events: count(fields, 'n'),
    values: list(fields, 'v', 'number') as readonly (number | null)[],
    labels: list(fields, 'l', 'string') as readonly (string | null)[],
    newestEventTime: count(fields, 't'),
    newestCommittedAt: count(fields, 'c'),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new Error(`"${name}" of a row of spark_windows is not a text`);
  return value;
}

function count(fields: Fields, name: string): number {
  const value = fields[name];
  if (!Number.isSafeInteger(value)) throw new Error(`"${name}" of a row of spark_windows is not an integer`);
  return value as number;
}

function list(fields: Fields, name: string, type: 'string' | 'number'): readonly unknown[] {
  const value = fields[name];
  if (!Array.isArray(value) || !value.every((one) => one === null || typeof one === type)) {
    throw new Error(`"${name}" of a row of spark_windows is not a list of ${type}s`);
  }
  return value;
}
