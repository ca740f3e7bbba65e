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
  readonly #highest: Map<TopicPartition, Position>;
  /** Records dropped since this filter was made. */
  dropped = 0;

  constructor(state: PositionState = {}) {
    this.#highest = new Map(Object.entries(state) as [TopicPartition, Position][]);
  }

  admit(record: BrokerRecord): boolean {
    const position = record.headers[HEADERS.position];
    if (position === undefined || record.headers[HEADERS.replayOf] !== undefined) return true;
    const partition = topicPartition(record.topic, record.partition);
    const highest = this.#highest.get(partition);
    if (highest !== undefined && position <= highest) {
      this.dropped++;
      return false;
    }
    this.#highest.set(partition, position);
    return true;
  }

  export(): PositionState {
    return Object.fromEntries(this.#highest);
  }
}
