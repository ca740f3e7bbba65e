import { z } from 'zod';

export const SCHEMA_VERSION = 1;

/** Milliseconds since 1970-01-01T00:00:00Z; the upper bound is the last instant a JavaScript Date can hold. */
export const epochMs = z.int().min(-8.64e15).max(8.64e15);
/** Money: integer hundredths of the currency (the shop's columns are numeric(12,2)). */
export const amountMinor = z.int();
/** Three capital letters of ISO 4217. */
export const currencyCode = z.string().regex(/^[A-Z]{3}$/);

/** What every event carries beside its own fields. */
export const envelope = {
  /** uuid v5 of what happened (database, table, primary key, kind of change): never of how it was seen. */
  event_id: z.uuid(),
  /** When it happened, by the shop's own clock. */
  event_time: epochMs,
  /** `event_time` as ISO 8601 UTC, for readers of the original. */
  timestamp: z.string(),
  /** When the shop's database committed it. */
  committed_at: epochMs,
  /** When capture saw it. */
  captured_at: epochMs,
  schema_version: z.literal(SCHEMA_VERSION),
  source: z.string(),
  source_database: z.string(),
  /** Sortable position in the source's change stream: see lib/position.ts. */
  source_position: z.string(),
};

export const ENVELOPE_EXAMPLE = {
  event_id: '0d4b8b8e-6f43-5a52-9d6f-4b8f3a0d5c11',
  event_time: 1_795_517_589_120,
  timestamp: '2026-11-24T10:53:09.120Z',
  committed_at: 1_795_517_589_131,
  captured_at: 1_795_517_589_140,
  schema_version: 1 as const,
  source: 'postgresql_realtime',
  source_database: 'instashop',
  source_position: '00000000016b3748.000000000000',
};
