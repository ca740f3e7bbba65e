// The embedded engine itself: records in, windows changed. No input or output, no clock of its own.
import {
  FUTURE_LIMIT_MS,
  type MetricDefinition,
  REPAIR_HORIZON_MS,
  WATERMARK_DELAY_MS,
} from '../../../contracts/metrics.ts';
import type { BrokerRecord, TopicPartition } from '../../../stores/broker/broker.ts';
import { accountingOf } from '../accounting.ts';
import { type Cell, feed } from '../aggregates.ts';
import type { CheckpointChanges, CheckpointState } from '../checkpoint.ts';
import {
  CAPTURED_AT,
  COMMITTED_AT,
  compile,
  EVENT_TIME,
  type Program,
  type TopicProgram,
} from '../compile.ts';
import type { Accounting } from '../engine.ts';
import { dayOf, type LedgerKind, Ledgers } from '../ledgers.ts';
import { restoreCell } from '../saved-cell.ts';
import type { SourceStart } from '../sources.ts';
import { Tallies } from '../tallies.ts';
import { Watermark, type WatermarkState } from '../watermark.ts';
import { WindowChanges } from '../window-changes.ts';
import { type Window, Windows } from '../windows.ts';
import { Intake, type IntakeState, type Refusal, type TakenEvent } from './intake.ts';
import { isGreater } from './text-order.ts';

export interface WindowEngineOptions {
  readonly definitions: readonly MetricDefinition[];
  /** Every partition that will be read. */
  readonly sources: readonly SourceStart[];
  readonly state: CheckpointState | null;
  readonly now: number;
  readonly groupsMax?: number;
}

interface Meta {
  readonly watermark: WatermarkState;
  readonly intake: IntakeState;
  readonly figures: { readonly late: number; readonly revisions: number; readonly overflow: number };
}

export class WindowEngine {
  readonly #program: Program;
  readonly #intake: Intake;
  readonly #watermark: Watermark;
  readonly #windows: Windows;
  readonly #ledgers = new Ledgers();
  readonly #tallies = new Tallies();
  #late = 0;
  #revisions = 0;
  readonly #changes: WindowChanges;
  /** Whether records were read since the last `takeChanges`. */
  #read = false;

  constructor({ definitions, sources, state, now, groupsMax }: WindowEngineOptions) {
    const meta = state?.meta as Partial<Meta> | undefined;
    this.#program = compile(definitions);
    this.#watermark = new Watermark(now, meta?.watermark);
    this.#windows = new Windows(this.#program.definitions, this.#program.windowMs, groupsMax);
    this.#intake = new Intake(this.#program, this.#watermark, sources, meta?.intake);
    this.#late = meta?.figures?.late ?? 0;
    this.#revisions = meta?.figures?.revisions ?? 0;
    this.#windows.overflow = meta?.figures?.overflow ?? 0;
    this.#changes = new WindowChanges(this.#windows, this.#ledgers);
    if (state !== null) this.#restore(state);
  }

  #restore(state: CheckpointState): void {
    for (const { source, newest } of state.offsets) {
      if (newest !== null) this.#watermark.restore(source, newest);
    }
    for (const ledger of state.ledgers) this.#ledgers.restore(ledger);
    for (const tally of state.tallies) this.#tallies.restore(tally);
    const indexes = new Map(this.#program.definitions.map(({ name, index }) => [name, index]));
    for (const saved of state.cells) {
      const index = indexes.get(saved.definition)!;
      const { windowStart, group, id } = saved;
      restoreCell(this.#windows.restore(index, windowStart, this.#watermark.value, group, id), saved);
    }
  }

  /**
   * Takes a batch of records, in offset order within each partition, and then looks at the clock. `lag`: what waits
   * beyond them, for the partitions named. Whether a record is late is judged by the watermark before the batch.
   * The answer is what must be in `dead_letters` before these changes are saved.
   */
  apply(
    records: readonly BrokerRecord[],
    lag: ReadonlyMap<TopicPartition, number>,
    now: number,
  ): readonly Refusal[] {
    const refusals: Refusal[] = [];
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!;
      const taken = this.#intake.take(record);
      const refusal = taken === null ? null : this.#judge(taken, now);
      if (refusal !== null) refusals.push({ record, ...refusal });
    }
    this.#read ||= records.length > 0;
    for (const [name, waiting] of lag) this.#watermark.source(name).lag = waiting;
    this.pass(now);
    return refusals;
  }

  /** Looks at the clock: closes windows that the watermark has passed, forgets those older than the horizon. */
  pass(now: number): void {
    if (this.#watermark.advance(now)) this.#changes.pass(this.#watermark.value);
  }

  #judge(taken: TakenEvent, now: number): TakenEvent['refusal'] {
    const { program, refusal, again } = taken;
    if (refusal !== null) {
      if (!again) this.#tallies.add(program.topic, '', 'refused', 1);
      return refusal;
    }
    const eventTime = program.values[EVENT_TIME] as number;
    const aheadMs = eventTime - (program.values[CAPTURED_AT] as number);
    const bits = program.bits();
    if (aheadMs > FUTURE_LIMIT_MS) {
      if (!again) this.#setAside('quarantined', 'quarantined', program, bits, 1);
      if (!again || eventTime > now + FUTURE_LIMIT_MS) {
        return { reason: 'future_event_time', message: `event_time is ${aheadMs} ms ahead of captured_at` };
      }
      // Replayed, and the time it names has come.
      this.#setAside('quarantined', 'quarantined', program, bits, -1);
    } else if (again) {
      this.#tallies.add(program.topic, '', 'refused', -1);
    }
    this.#place(taken, bits, now);
    return null;
  }

  /** Into its window, or into the ledger of what came too late. */
  #place({ program, time, snapshot }: TakenEvent, bits: number, now: number): void {
    const eventTime = program.values[EVENT_TIME] as number;
    const watermark = this.#watermark.value;
    const reached = snapshot ? Math.max(watermark, now - WATERMARK_DELAY_MS) : watermark;
    if (!snapshot) this.#watermark.observe(time, eventTime);
    if (this.#windows.endOf(eventTime) <= reached - REPAIR_HORIZON_MS) {
      this.#setAside('too_late', snapshot ? 'history' : 'too_late', program, bits, 1);
      return;
    }
    const window = this.#windows.at(eventTime, watermark);
    const counted = this.#feed(window, program, bits);
    if (counted && window.closed && !snapshot) this.#late++;
    this.#tallies.add(program.topic, dayOf(eventTime), counted ? 'counted' : 'ignored', 1);
  }

  /** Feeds the event to every definition that takes it; false when none does. */
  #feed(window: Window, { values, feeds }: TopicProgram, bits: number): boolean {
    const eventTime = values[EVENT_TIME] as number;
    const committedAt = values[COMMITTED_AT] as number;
    let counted = false;
    for (let i = 0; i < feeds.length; i++) {
      const { definition, group, labels, opsFor } = feeds[i]!;
      const ops = opsFor(bits);
      if (ops === null) continue;
      counted = true;
      const cell = this.#windows.cell(window, definition, group, values);
      feed(cell, ops, values);
      cell.events++;
      if (eventTime > cell.newestEventTime) cell.newestEventTime = eventTime;
      if (committedAt > cell.newestCommittedAt) cell.newestCommittedAt = committedAt;
      for (let j = 0; j < labels.length; j++) {
        const label = values[labels[j]!] as string | null;
        const shown = cell.labels[j]!;
        if (label !== null && isGreater(label, shown)) cell.labels[j] = label;
      }
      if (window.closed) {
        cell.revision++;
        this.#revisions++;
      }
      this.#changes.add(cell);
    }
    return counted;
  }

  #setAside(
    kind: LedgerKind,
    fate: 'too_late' | 'history' | 'quarantined',
    program: TopicProgram,
    bits: number,
    sign: 1 | -1,
  ): void {
    const eventTime = program.values[EVENT_TIME] as number;
    for (const one of program.feeds) {
      const ops = one.opsFor(bits);
      if (ops !== null) this.#ledgers.add(kind, one, eventTime, ops, program.values, sign);
    }
    this.#tallies.add(program.topic, dayOf(eventTime), fate, sign);
  }

  /** Changed cells that were not emitted yet, by definition. */
  get unsent(): Cell[][] {
    return this.#changes.unsent;
  }

  /** Whether there is anything that the last `takeChanges` did not have. */
  get changed(): boolean {
    return this.#read || this.#changes.any;
  }

  /** What changed since this was last called. If saving it fails, this engine is of no more use. */
  takeChanges(): CheckpointChanges {
    const meta: Meta = {
      watermark: this.#watermark.export(),
      intake: this.#intake.export(),
      figures: { late: this.#late, revisions: this.#revisions, overflow: this.#windows.overflow },
    };
    this.#read = false;
    return {
      offsets: this.#intake.offsets(),
      meta: { ...meta },
      ...this.#changes.take(),
      ledgers: this.#ledgers.takeChanged(),
      tallies: this.#tallies.takeChanged(),
    };
  }

  get watermark(): number {
    return this.#watermark.value;
  }

  /** Newest event time seen (snapshots and quarantined records apart). */
  get newestEventTime(): number {
    return this.#watermark.newest;
  }

  /** Figures for the stage's health. */
  figures(now: number): Record<string, number> {
    const { value } = this.#watermark;
    return {
      late: this.#late,
      revisions: this.#revisions,
      too_late: this.#tallies.total('too_late'),
      history: this.#tallies.total('history'),
      quarantined: this.#tallies.total('quarantined'),
      refused: this.#tallies.total('refused'),
      repeated: this.#intake.dropped,
      group_overflow: this.#windows.overflow,
      watermark_lag_ms: Number.isFinite(value) ? now - value : 0,
      ...this.#windows.figures(),
    };
  }

  /** Sums over everything read so far. */
  accounting(): Accounting {
    const cells = [...this.#windows.all()].flatMap(({ start, tables }) =>
      tables.flatMap((table) =>
        table.cells.map(({ definition, group, sums }) => ({ definition, windowStart: start, group, sums })),
      ),
    );
    return accountingOf({
      definitions: this.#program.definitions,
      offsets: new Map(this.#intake.offsets().map(({ source, nextOffset }) => [source, nextOffset])),
      cells,
      ledgers: this.#ledgers.all(),
      tallies: this.#tallies.all(),
    });
  }
}
