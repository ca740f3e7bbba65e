// From records to events: which partition is read how far, which records are wanted, and which cannot be read.
import type { DeadLetterReason } from '../../../contracts/dead-letter.ts';
import { HEADERS } from '../../../contracts/topics.ts';
import { type BrokerRecord, type TopicPartition, topicPartition } from '../../../stores/broker/broker.ts';
import { PositionFilter, type PositionState } from '../../../stores/broker/position-filter.ts';
import type { SourceOffset } from '../checkpoint.ts';
import type { Program, TopicProgram } from '../compile.ts';
import { STAGE_NAME } from '../engine.ts';
import type { SourceStart } from '../sources.ts';
import type { SourceTime, Watermark } from '../watermark.ts';
import { Replays } from './replays.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A record that must go to `dead_letters` before the engine's offsets move past it. */
export interface Refusal {
  readonly record: BrokerRecord;
  readonly reason: DeadLetterReason;
  readonly message: string;
}

interface Source {
  readonly name: TopicPartition;
  readonly topicId: string;
  readonly program: TopicProgram;
  readonly time: SourceTime;
  nextOffset: number;
}

/** An event whose values stand in `program.values`, until the next one is read. */
export interface TakenEvent {
  readonly program: TopicProgram;
  readonly time: SourceTime;
  /** Row of an initial snapshot. */
  readonly snapshot: boolean;
  /** This stage refused the same record before, and counted it there. */
  readonly again: boolean;
  readonly refusal: Omit<Refusal, 'record'> | null;
}

export interface IntakeState {
  readonly positions: PositionState;
  readonly replays: readonly string[];
}

export class Intake {
  readonly #sources = new Map<string, Map<number, Source>>();
  readonly #positions: PositionFilter;
  readonly #replays: Replays;

  constructor(program: Program, watermark: Watermark, starts: readonly SourceStart[], state?: IntakeState) {
    this.#positions = new PositionFilter(state?.positions);
    this.#replays = new Replays(state?.replays);
    for (const { topic, partition, topicId, nextOffset, lag } of starts) {
      const topicProgram = program.topics.get(topic);
      if (topicProgram === undefined) continue;
      const name = topicPartition(topic, partition);
      const time = watermark.source(name);
      time.lag = lag;
      const partitions = this.#sources.get(topic) ?? new Map<number, Source>();
      partitions.set(partition, { name, topicId, program: topicProgram, time, nextOffset });
      this.#sources.set(topic, partitions);
    }
  }

  /**
   * Reads a record and moves its partition's offset. null: nothing is to be done with it (seen before, replayed twice,
   * for another stage).
   */
  take(record: BrokerRecord): TakenEvent | null {
    const source = this.#sources.get(record.topic)?.get(record.partition);
    if (source === undefined || record.offset < source.nextOffset) return null;
    source.nextOffset = record.offset + 1;
    const { program, time } = source;
    const { headers } = record;
    const forStage = headers[HEADERS.replayFor];
    if (forStage !== undefined && forStage !== STAGE_NAME) return null;
    if (!this.#positions.admit(record)) return null;
    const event = parse(record.value);
    const replay = headers[HEADERS.replayOf];
    if (replay !== undefined && !this.#replays.isNew(`${replay} ${String(event?.['event_id'])}`)) return null;
    return {
      program,
      time,
      snapshot: headers[HEADERS.snapshot] === '1',
      again: forStage !== undefined,
      refusal: read(program, event),
    };
  }

  /** Records dropped because their position does not rise. */
  get dropped(): number {
    return this.#positions.dropped;
  }

  offsets(): readonly SourceOffset[] {
    return [...this.#sources.values()].flatMap((partitions) =>
      [...partitions.values()].map(({ name, topicId, nextOffset, time }) => ({
        source: name,
        topicId,
        nextOffset,
        newest: Number.isFinite(time.newest) ? time.newest : null,
      })),
    );
  }

  export(): IntakeState {
    return { positions: this.#positions.export(), replays: this.#replays.export() };
  }
}

type Parsed = Readonly<Record<string, unknown>> | null;

function read(program: TopicProgram, event: Parsed | undefined): TakenEvent['refusal'] {
  if (event === undefined) return { reason: 'invalid_json', message: 'the bytes are not JSON' };
  const wrong = event === null ? 'the value is not an object' : program.read(event);
  return wrong === null ? null : { reason: 'schema', message: wrong };
}

/** null: JSON, but no object. undefined: not JSON. */
function parse(value: Uint8Array): Parsed | undefined {
  try {
    const event: unknown = JSON.parse(utf8.decode(value));
    return typeof event === 'object' && event !== null ? (event as Parsed) : null;
  } catch {
    return undefined;
  }
}
