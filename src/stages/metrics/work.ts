// One run of an engine: the order of what it writes, and its pace.
import type { Clock } from '../../lib/clock.ts';
import type { Claim, OutgoingRecord, ReadBatch } from '../../stores/broker/broker.ts';
import type { Cell } from './aggregates.ts';
import type { Checkpoint, CheckpointChanges } from './checkpoint.ts';
import { Emission } from './emission.ts';

/** Small enough that the other stages of the process wait only a few milliseconds for a batch. */
export const BATCH_BOUNDS = { recordsMax: 500, bytesMax: 2 << 20 } as const;
/** Values written with one append. */
const EMITTED_MAX = 1_000;
const EMIT_INTERVAL_MS = 20;
/** How often time passes when no event comes. */
const PASS_INTERVAL_MS = 250;
const CHECKPOINT_INTERVAL_MS = 2_000;

/** What a run drives. Its calls never overlap. */
export interface RunningEngine {
  /** Changed cells that were not emitted yet, by definition: the run empties these lists. */
  readonly unsent: Cell[][];
  /** Takes a batch in. Resolves once what it refuses of it is in `dead_letters`. */
  take(batch: ReadBatch, now: number): Promise<void>;
  /** Time passes. */
  pass(now: number): void;
  /** Whether there is something to save that may be saved as it is; if not yet, the engine sees that it soon may. */
  readyToSave(): boolean;
  /** What changed since this was last called. If saving it fails, the engine is of no more use. */
  takeChanges(): CheckpointChanges;
  /** Called after a save: takes in what was kept back for it; as `take`. */
  resume(now: number): Promise<void>;
}

export interface WorkOptions {
  readonly claim: Claim;
  readonly clock: Clock;
  readonly emitIntervalMs?: number;
  readonly checkpointIntervalMs?: number;
}

/**
 * Batches, the pace of emission and passing time take turns (`#inTurn`), so that a checkpoint is only ever taken of a
 * state whose values are all in the log.
 */
export class Work {
  readonly #options: WorkOptions;
  readonly #engine: RunningEngine;
  readonly #checkpoint: Checkpoint;
  readonly #emission: Emission;
  /** Aborted by the caller, or by a fault. */
  readonly #stop = new AbortController();
  readonly #emitIntervalMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #fault: unknown = null;
  #flushing: Promise<void> = Promise.resolve();
  #flushScheduled = false;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #savedAt: number;
  #unacknowledged: ReadBatch | null = null;

  constructor(options: WorkOptions, engine: RunningEngine, checkpoint: Checkpoint, signal: AbortSignal) {
    this.#options = options;
    this.#engine = engine;
    this.#checkpoint = checkpoint;
    this.#emission = new Emission(engine.unsent);
    this.#emitIntervalMs = options.emitIntervalMs ?? EMIT_INTERVAL_MS;
    this.#savedAt = options.clock.now();
    if (signal.aborted) this.#stop.abort();
    else signal.addEventListener('abort', () => this.#stop.abort(), { once: true });
  }

  /** Runs until the signal aborts, and saves what may be saved then. Rejects with the first fault. */
  async run(read: (until: AbortSignal) => AsyncIterable<ReadBatch>): Promise<void> {
    const passing = this.#passTime();
    passing.catch(() => {});
    try {
      for await (const batch of read(this.#stop.signal)) await this.#inTurn(() => this.#take(batch));
    } finally {
      this.#stop.abort();
      await Promise.allSettled([passing, this.#flushing]);
      await this.#turn;
    }
    if (this.#fault !== null) throw this.#fault;
    if (this.#engine.readyToSave()) await this.#save();
  }

  /** Lets time pass now, for instance because something was learned. */
  pass(): Promise<void> {
    return this.#inTurn(async () => {
      this.#engine.pass(this.#options.clock.now());
      await this.#flushDue();
      await this.#saveDue();
    });
  }

  /** After a fault nothing runs any more: values may have been taken and not written, so no state may be saved. */
  #inTurn(action: () => Promise<void>): Promise<void> {
    const result = this.#turn.then(() => {
      if (this.#fault !== null) throw this.#fault;
      return action();
    });
    this.#turn = result.catch((error: unknown) => {
      this.#fault ??= error;
      this.#stop.abort();
    });
    return result;
  }

  async #take(batch: ReadBatch): Promise<void> {
    await this.#engine.take(batch, this.#options.clock.now());
    this.#unacknowledged = batch;
    await this.#flushDue();
    await this.#saveDue();
  }

  async #passTime(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#options.clock.sleep(PASS_INTERVAL_MS, this.#stop.signal);
      await this.pass();
    }
  }

  /** Writes what is due; what changed again within the interval waits for its end. */
  async #flushDue(): Promise<void> {
    const { clock } = this.#options;
    const waitMs = this.#flushedAt + this.#emitIntervalMs - clock.now();
    if (waitMs <= 0) await this.#flush(false);
    if (!this.#emission.pending || this.#flushScheduled || this.#stop.signal.aborted) return;
    this.#flushScheduled = true;
    const later = async () => {
      await clock.sleep(waitMs > 0 ? waitMs : this.#emitIntervalMs, this.#stop.signal);
      await this.#inTurn(() => {
        this.#flushScheduled = false;
        return this.#flushDue();
      });
    };
    this.#flushing = later();
    // Its fault is kept by #inTurn.
    this.#flushing.catch(() => {});
  }

  async #flush(all: boolean): Promise<void> {
    this.#flushedAt = this.#options.clock.now();
    const due: readonly OutgoingRecord[] = this.#emission.take(this.#flushedAt, all);
    for (let i = 0; i < due.length; i += EMITTED_MAX) {
      await this.#options.claim.append(due.slice(i, i + EMITTED_MAX));
    }
  }

  async #saveDue(): Promise<void> {
    const { clock, checkpointIntervalMs = CHECKPOINT_INTERVAL_MS } = this.#options;
    if (clock.now() - this.#savedAt < checkpointIntervalMs || !this.#engine.readyToSave()) return;
    await this.#save();
    await this.#engine.resume(clock.now());
  }

  /** Values first: what the checkpoint holds is never missing in topic `metrics`. */
  async #save(): Promise<void> {
    await this.#flush(true);
    this.#checkpoint.save(this.#engine.takeChanges());
    this.#savedAt = this.#options.clock.now();
    await this.#unacknowledged?.ack();
    this.#unacknowledged = null;
  }
}
