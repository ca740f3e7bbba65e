// Keeps what a dead process wrote late, or wrote twice, from counting again.
import { HEADERS } from '../../contracts/topics.ts';
import type { Position } from '../../lib/position.ts';
import { type BrokerRecord, type TopicPartition, topicPartition } from './broker.ts';

/** Highest position seen per partition, as it goes into a checkpoint. */
export type PositionState = Readonly<Record<TopicPartition, Position>>;

/**
 * Drops records whose `position` header does not rise within their partition. Records without one, and replayed dead
 * letters, pass and change nothing.
 */
export class PositionFilter {
  /** By topic, then partition: this is looked up for every record. */
  readonly #highest = new Map<string, (Position | undefined)[]>();
  /** Records dropped since this filter was made. */
  dropped = 0;

  constructor(state: PositionState = {}) {
    for (const [name, position] of Object.entries(state)) {
      const [topic, partition] = name.split('/') as [string, string];
      this.#of(topic)[Number(partition)] = position;
    }
  }

  admit({ topic, partition, headers }: Pick<BrokerRecord, 'topic' | 'partition' | 'headers'>): boolean {
    const position = headers[HEADERS.position];
    if (position === undefined || headers[HEADERS.replayOf] !== undefined) return true;
    const highest = this.#of(topic);
    const before = highest[partition];
    if (before !== undefined && position <= before) {
      this.dropped++;
      return false;
    }
    highest[partition] = position;
    return true;
  }

  export(): PositionState {
    const state: Record<TopicPartition, Position> = {};
    for (const [topic, positions] of this.#highest) {
      positions.forEach((position, partition) => {
        if (position !== undefined) state[topicPartition(topic, partition)] = position;
      });
    }
    return state;
  }

  #of(topic: string): (Position | undefined)[] {
    let positions = this.#highest.get(topic);
    if (positions === undefined) {
      positions = [];
      this.#highest.set(topic, positions);
    }
    return positions;
  }
}
