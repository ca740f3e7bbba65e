// What the query says of everything it read, kept so that windows + too late + quarantined = the log: all that the
// definitions took, minus what the windows have, came too late. Whole only at a cut (cut.ts).
import { type TopicPartition, topicPartition } from '../../../stores/broker/broker.ts';
import type { CheckpointState } from '../checkpoint.ts';
import type { CompiledDefinition } from '../compile.ts';
import type { Fate } from '../engine.ts';
import { dayOf, type LedgerKind, Ledgers } from '../ledgers.ts';
import type { SourceStart } from '../sources.ts';
import { Tallies } from '../tallies.ts';
import { BOOKKEEPING, type LEDGER_FATES, type SourceClass, type SparkRow } from './row.ts';

/** What an event of a class counts as, while no window has it; the last two take back. */
const CLASS_FATES: Readonly<Record<SourceClass, { readonly fate: Fate; readonly sign: 1 | -1 } | null>> = {
  taken: { fate: 'too_late', sign: 1 },
  taken_snapshot: { fate: 'history', sign: 1 },
  ignored: { fate: 'ignored', sign: 1 },
  quarantined: { fate: 'quarantined', sign: 1 },
  refused: { fate: 'refused', sign: 1 },
  quarantined_again: null,
  refused_again: null,
  unquarantined: { fate: 'quarantined', sign: -1 },
  unrefused: { fate: 'refused', sign: -1 },
};

type LedgerMove = { readonly kind: LedgerKind; readonly sign: 1 | -1 };
const LEDGER_MOVES: Readonly<Record<(typeof LEDGER_FATES)[number], LedgerMove>> = {
  taken: { kind: 'too_late', sign: 1 },
  quarantined: { kind: 'quarantined', sign: 1 },
  unquarantined: { kind: 'quarantined', sign: -1 },
};

/** The newest row of a key: its events, then its values. */
type Kept = readonly [events: number, ...values: (number | null)[]];
/** Saved under this and the row's key, one by one: there are many, and few of them change. */
const SAVED_AS = 'row ';

/** What stands in the windows of one topic: topic, window end, events, of these snapshot rows. */
type Counted = [topic: string, end: number, events: number, snapshots: number];

/** The part of the checkpoint's meta that is kept here. */
export interface BooksMeta {
  readonly counted: readonly Counted[];
}

export class Books {
  readonly tallies = new Tallies();
  readonly ledgers = new Ledgers();
  /** Place after the newest record counted, by partition of the event topics. */
  readonly next = new Map<TopicPartition, number>();
  /** Records counted since the start. */
  records = 0;
  readonly #definitions: ReadonlyMap<string, CompiledDefinition>;
  readonly #windowMs: number;
  readonly #rows = new Map<string, Kept>();
  #changed = new Set<string>();
  readonly #counted = new Map<string, Counted>();

  constructor(
    definitions: ReadonlyMap<string, CompiledDefinition>,
    windowMs: number,
    sources: readonly SourceStart[],
    state: CheckpointState | null,
  ) {
    this.#definitions = definitions;
    this.#windowMs = windowMs;
    for (const { topic, partition, nextOffset } of sources) {
      this.next.set(topicPartition(topic, partition), nextOffset);
    }
    if (state === null) return;
    for (const ledger of state.ledgers) this.ledgers.restore(ledger);
    for (const tally of state.tallies) this.tallies.restore(tally);
    for (const [name, value] of Object.entries(state.meta)) {
      if (name.startsWith(SAVED_AS)) this.#rows.set(name.slice(SAVED_AS.length), value as Kept);
    }
    for (const counted of (state.meta as Partial<BooksMeta>).counted ?? []) {
      this.#counted.set(`${counted[0]}|${counted[1]}`, counted);
    }
  }

  /** A `_source` row. The answer is the partition it is of. */
  source(row: SparkRow): TopicPartition {
    const [topic, partition, day, name] = row.key as readonly [string, string, string, SourceClass];
    const source = topicPartition(topic, Number(partition));
    this.next.set(source, Math.max(this.next.get(source) ?? 0, (row.values[0] ?? -1) + 1));
    const grown = this.#grown(row);
    if (grown === null) return source;
    const fate = CLASS_FATES[name];
    if (name !== 'unquarantined' && name !== 'unrefused') this.records += grown.events;
    // A replay for another stage is no event of ours.
    if (fate === null || (name === 'ignored' && day === '')) return source;
    this.tallies.add(topic, fate.fate === 'refused' ? '' : day, fate.fate, fate.sign * grown.events);
    return source;
  }

  /** A `_ledger/...` row. */
  ledger(row: SparkRow): void {
    const grown = this.#grown(row);
    if (grown === null) return;
    const definition = this.#definitions.get(row.definition.slice(BOOKKEEPING.ledger.length));
    if (definition === undefined) throw new Error(`no definition has the ledger ${row.definition}`);
    const [fate, day, group] = row.key as readonly [(typeof LEDGER_FATES)[number], string, string | null];
    const { kind, sign } = LEDGER_MOVES[fate];
    this.ledgers.move(kind, definition, day, String(group), grown.values, sign);
  }

  /** How much the row is more than the one kept of its key, and keeps it; null when it is not. */
  #grown(row: SparkRow): { readonly events: number; readonly values: readonly number[] } | null {
    const name = `${row.definition}|${JSON.stringify(row.key)}`;
    const [events, ...values] = this.#rows.get(name) ?? [0];
    if (row.events <= events) return null;
    this.#rows.set(name, [row.events, ...row.values]);
    this.#changed.add(name);
    return {
      events: row.events - events,
      values: row.values.map((value, i) => (value ?? 0) - (values[i] ?? 0)),
    };
  }

  /** An `_events` row of a window that is kept. The answer is how many more events it counts, snapshot rows apart. */
  events(row: SparkRow): number {
    const topic = String(row.key[0]);
    const { windowEnd } = row;
    const name = `${topic}|${windowEnd}`;
    const [, , events, snapshots] = this.#counted.get(name) ?? [topic, windowEnd, 0, 0];
    const more = row.events - events;
    if (more <= 0) return 0;
    const moreSnapshots = (row.values[0] ?? 0) - snapshots;
    this.#counted.set(name, [topic, windowEnd, row.events, row.values[0] ?? 0]);
    const day = dayOf(windowEnd - this.#windowMs);
    this.tallies.add(topic, day, 'counted', more);
    this.tallies.add(topic, day, 'too_late', moreSnapshots - more);
    this.tallies.add(topic, day, 'history', -moreSnapshots);
    return more - moreSnapshots;
  }

  /** Forgets the windows that end at or before `limit`: what comes for them later was too late. */
  evict(limit: number): void {
    for (const [name, [, end]] of this.#counted) if (end <= limit) this.#counted.delete(name);
  }

  /** For the checkpoint: rows that changed since this was last called, and what is small. */
  takeMeta(): BooksMeta & Readonly<Record<string, unknown>> {
    const rows = [...this.#changed].map((name) => [`${SAVED_AS}${name}`, this.#rows.get(name)] as const);
    this.#changed = new Set();
    return { counted: [...this.#counted.values()], ...Object.fromEntries(rows) };
  }
}
