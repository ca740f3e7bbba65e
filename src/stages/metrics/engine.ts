// The metrics engine port: what every engine takes and promises, whatever it is made of.
import type { MetricDefinition } from '../../contracts/metrics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { Stage } from '../../lib/stage.ts';
import type { Broker } from '../../stores/broker/broker.ts';

/** How the stage is called, whichever engine it has. */
export const STAGE_NAME = 'metrics';

export interface MetricsEngineOptions {
  readonly broker: Pick<Broker, 'read' | 'claim' | 'partitions'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Where the engine keeps its checkpoint; made when missing. One running engine a folder. */
  readonly dir: string;
  /** Default: METRICS. Another set than the checkpoint's is computed anew from the start of the log. */
  readonly definitions?: readonly MetricDefinition[];
  /** A value that changes often is written at most once in this time. Default 20 ms. */
  readonly emitIntervalMs?: number;
}

/**
 * Reads EVENT_TOPICS, keeps the windows of the definitions, and writes their absolute values (MetricValue) to topic
 * `metrics` whenever they change. Each record counts once: state and source offsets are one atomic checkpoint, and
 * what is emitted again after a crash carries the same versions. What is refused goes to `dead_letters` before the
 * checkpoint moves past it. One engine at a time writes: whoever starts last takes over, and the one before rejects
 * with a UserError, since two that each take over from the other would never get anywhere.
 */
export type MetricsEngine = (options: MetricsEngineOptions) => Stage;

/** Entries and what was taken back of them, by day of the event time (UTC, YYYY-MM-DD). */
export interface SalesRow {
  readonly day: string;
  readonly currency: string;
  /** One of LEDGER_STATUSES. */
  readonly status: string;
  readonly entered: number;
  readonly left: number;
  readonly enteredMinor: number;
  readonly leftMinor: number;
}
/** Items of completed sales. */
export interface ItemsRow {
  readonly day: string;
  readonly currency: string;
  readonly sales: number;
  readonly grossMinor: number;
  readonly reversals: number;
  readonly reversalsMinor: number;
}
export interface BehaviorRow {
  readonly day: string;
  readonly interactionType: string;
  readonly count: number;
}
export interface LedgerSums {
  readonly sales: readonly SalesRow[];
  readonly items: readonly ItemsRow[];
  readonly behavior: readonly BehaviorRow[];
}

/**
 * What became of an event: counted in a window · ignored (no definition takes it) · too_late for its window · history
 * (a snapshot's row, older than any window kept) · quarantined (dated ahead of its capture) · refused.
 */
export type Fate = 'counted' | 'ignored' | 'too_late' | 'history' | 'quarantined' | 'refused';

/** Everything that was read, at one point of the log. Replayed dead letters count once, where they ended. */
export interface Accounting {
  /** Next offset per `topic/partition`. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Sums of the windows' own values. */
  readonly windows: LedgerSums;
  /** Of `too_late` and `history` events. */
  readonly tooLate: LedgerSums;
  readonly quarantined: LedgerSums;
  /** Day of the event time; empty for `refused`, whose day is not known. */
  readonly events: readonly {
    readonly topic: string;
    readonly day: string;
    readonly fate: Fate;
    readonly count: number;
  }[];
}
