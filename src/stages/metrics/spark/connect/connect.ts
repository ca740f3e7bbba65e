// A thin client of Apache Spark Connect for streaming queries: relations, sessions, queries. What it speaks of the wire
// format is in proto/; it knows nothing of what is counted with it.
export type { CallOptions } from './channel.ts';
export { SparkConnectError } from './errors.ts';
export type { QueryEvent, QueryProgress, SourceProgress, StateProgress } from './progress.ts';
export { type QueryFailure, type QueryStatus, StreamingQuery } from './query.ts';
export * from './relations.ts';
export { type SessionOptions, SparkSession, type StartOptions, type Trigger } from './session.ts';
