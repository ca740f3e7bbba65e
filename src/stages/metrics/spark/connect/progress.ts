// What Spark reports of a streaming query comes as JSON; here are the parts of use, checked and typed.

/** An offset as its source has it: for Kafka topic → partition → offset, for others a number, a text or null. */
export type SourceOffset = unknown;

export interface SourceProgress {
  readonly description: string;
  readonly startOffset: SourceOffset;
  /** Up to where this batch has read: exclusive, as Kafka's. */
  readonly endOffset: SourceOffset;
  readonly latestOffset: SourceOffset;
  readonly numInputRows: number;
  readonly inputRowsPerSecond: number;
  readonly processedRowsPerSecond: number;
  /** The source's own figures, such as Kafka's maxOffsetsBehindLatest. */
  readonly metrics: Readonly<Record<string, string>>;
}

export interface StateProgress {
  readonly operatorName: string;
  /** Keys kept. */
  readonly numRowsTotal: number;
  readonly numRowsUpdated: number;
  readonly numRowsRemoved: number;
  /** After the aggregation within the partitions: of use as a sign, not as a count. */
  readonly numRowsDroppedByWatermark: number;
  readonly memoryUsedBytes: number;
  readonly customMetrics: Readonly<Record<string, number>>;
}

/** One micro-batch, or a turn without data. */
export interface QueryProgress {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly batchId: number;
  /** When the batch started: ISO 8601, UTC. */
  readonly timestamp: string;
  /** Of all sources. */
  readonly numInputRows: number;
  /** Step → milliseconds; `triggerExecution` is the whole. */
  readonly durationMs: Readonly<Record<string, number>>;
  /** ISO 8601: `watermark`, and `min`, `max`, `avg` of what the batch saw. */
  readonly eventTime: Readonly<Record<string, string>>;
  readonly sources: readonly SourceProgress[];
  readonly state: readonly StateProgress[];
}

export type QueryEvent =
  | { readonly type: 'progress'; readonly progress: QueryProgress }
  /** Nothing came since the last one; at most one in ten seconds. */
  | { readonly type: 'idle'; readonly id: string; readonly runId: string; readonly timestamp: string }
  | {
      readonly type: 'terminated';
      readonly id: string;
      readonly runId: string;
      /** null when it was stopped. */
      readonly exception: string | null;
      readonly errorClass: string | null;
    };

type Json = Readonly<Record<string, unknown>>;

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null;
const json = (value: unknown): Json => (isJson(value) ? value : {});
const list = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isJson) : []);
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
/** Rates of a batch without input are NaN to Spark, and missing or text in its JSON. */
const number = (value: unknown): number => (typeof value === 'number' ? value : 0);
const only = <T>(value: unknown, isWanted: (entry: unknown) => entry is T): Readonly<Record<string, T>> =>
  Object.fromEntries(Object.entries(json(value)).filter((entry): entry is [string, T] => isWanted(entry[1])));
const isNumber = (value: unknown): value is number => typeof value === 'number';
const isText = (value: unknown): value is string => typeof value === 'string';

/** Sources write their offsets as JSON; it comes as it is or, from Spark 4 on, as the text of it. */
function offset(value: unknown): SourceOffset {
  if (!isText(value)) return value ?? null;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

const sourceProgress = (source: Json): SourceProgress => ({
  description: text(source['description']) ?? '',
  startOffset: offset(source['startOffset']),
  endOffset: offset(source['endOffset']),
  latestOffset: offset(source['latestOffset']),
  numInputRows: number(source['numInputRows']),
  inputRowsPerSecond: number(source['inputRowsPerSecond']),
  processedRowsPerSecond: number(source['processedRowsPerSecond']),
  metrics: only(source['metrics'], isText),
});

const stateProgress = (state: Json): StateProgress => ({
  operatorName: text(state['operatorName']) ?? '',
  numRowsTotal: number(state['numRowsTotal']),
  numRowsUpdated: number(state['numRowsUpdated']),
  numRowsRemoved: number(state['numRowsRemoved']),
  numRowsDroppedByWatermark: number(state['numRowsDroppedByWatermark']),
  memoryUsedBytes: number(state['memoryUsedBytes']),
  customMetrics: only(state['customMetrics'], isNumber),
});

/** Throws an Error where the text is no progress report. */
export const parseProgress = (source: string): QueryProgress => progressOf(JSON.parse(source));

function progressOf(value: unknown): QueryProgress {
  const report = json(value);
  const [id, runId, timestamp] = [report['id'], report['runId'], report['timestamp']].map(text);
  const batchId = report['batchId'];
  if (!id || !runId || !timestamp || !isNumber(batchId)) {
    throw new Error(`this is no progress of a streaming query: ${JSON.stringify(value).slice(0, 200)}`);
  }
  const sources = list(report['sources']).map(sourceProgress);
  return {
    id,
    runId,
    name: text(report['name']),
    batchId,
    timestamp,
    numInputRows: sources.reduce((sum, { numInputRows }) => sum + numInputRows, 0),
    durationMs: only(report['durationMs'], isNumber),
    eventTime: only(report['eventTime'], isText),
    sources,
    state: list(report['stateOperators']).map(stateProgress),
  };
}

/** An event of the listener bus; null for kinds this client does not know. Throws an Error where the JSON is none. */
export function parseEvent(type: QueryEvent['type'] | null, source: string): QueryEvent | null {
  if (type === null) return null;
  const event = json(JSON.parse(source));
  if (type === 'progress') return { type, progress: progressOf(event['progress']) };
  const [id, runId] = [text(event['id']) ?? '', text(event['runId']) ?? ''];
  if (type === 'idle') return { type, id, runId, timestamp: text(event['timestamp']) ?? '' };
  const [exception, errorClass] = [text(event['exception']), text(event['errorClassOnException'])];
  return { type, id, runId, exception, errorClass };
}
