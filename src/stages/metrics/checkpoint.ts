// The checkpoint port: the engine's whole state and its source offsets, saved together or not at all.
import type { TopicPartition } from '../../stores/broker/broker.ts';
import type { Scalar } from './fields.ts';
import type { Ledger } from './ledgers.ts';
import type { Tally } from './tallies.ts';

export interface SourceOffset {
  readonly source: TopicPartition;
  /** Offsets of a topic that was made anew mean nothing. */
  readonly topicId: string;
  readonly nextOffset: number;
  /** Newest event time seen there; null before the first. */
  readonly newest: number | null;
}

/** A cell as it is saved: `state` is JSON. */
export interface SavedCell {
  readonly id: number;
  readonly definition: string;
  readonly windowStart: number;
  readonly group: readonly Scalar[];
  readonly state: CellState;
}

export interface CellState {
  readonly sums: readonly (number | null)[];
  readonly labels: readonly (string | null)[];
  readonly events: number;
  readonly revision: number;
  readonly newestEventTime: number;
  readonly newestCommittedAt: number;
}

/** What changed since the last save. */
export interface CheckpointChanges {
  readonly offsets: readonly SourceOffset[];
  /** Small state by name (watermark, positions, replays, figures), each whole; what is not named stays as it was. */
  readonly meta: Readonly<Record<string, unknown>>;
  /** With the members its distincts gained, by set; null when none did. */
  readonly cells: readonly (SavedCell & { readonly added: readonly (readonly Scalar[])[] | null })[];
  /** Starts of windows that are gone. */
  readonly evicted: readonly number[];
  readonly ledgers: readonly Ledger[];
  readonly tallies: readonly Tally[];
}

export interface CheckpointState {
  readonly offsets: readonly SourceOffset[];
  readonly meta: Readonly<Record<string, unknown>>;
  /** With all members of its distincts, by set. */
  readonly cells: Iterable<SavedCell & { readonly members: readonly (readonly Scalar[])[] }>;
  readonly ledgers: readonly Ledger[];
  readonly tallies: readonly Tally[];
}

/** One writer at a time: opening it takes it over, and the former owner's next save throws. */
export interface Checkpoint {
  /** The last saved state; null when there is none, or when it belongs to other definitions or another engine. */
  load(): CheckpointState | null;
  /** Forgets what was saved. */
  clear(): void;
  /** All of it in one transaction. Throws a retryable error on a full disk and the like; nothing is saved then. */
  save(changes: CheckpointChanges): void;
  close(): void;
}
