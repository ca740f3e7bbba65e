// Whether each change stands in its topic once.
import { HEADERS } from '../../contracts/topics.ts';
import type { BrokerRecord } from '../../stores/broker/broker.ts';
import { PositionFilter } from '../../stores/broker/position-filter.ts';

const FIRST = 4_096;

/** Event ids as 64 bits each (60 of them chance): a topic of a million events takes 8 MB. */
class IdList {
  #ids = new BigUint64Array(FIRST);
  #length = 0;

  add(eventId: string): void {
    if (this.#length === this.#ids.length) {
      const more = new BigUint64Array(this.#length * 2);
      more.set(this.#ids);
      this.#ids = more;
    }
    this.#ids[this.#length++] = BigInt(`0x${eventId.replaceAll('-', '').slice(0, 16)}`);
  }

  repeats(): number {
    const ids = this.#ids.subarray(0, this.#length).sort();
    let count = 0;
    for (let i = 1; i < ids.length; i++) if (ids[i] === ids[i - 1]) count++;
    return count;
  }
}

const IS_ID = /^[0-9a-f-]{36}$/i;

export class Once {
  readonly #positions = new PositionFilter();
  readonly #ids = new Map<string, IdList>();
  readonly #notRising = new Map<string, number>();
  readonly #changes = new Map<string, number>();

  /** Whether the record is a change that comes for the first time; replayed dead letters are not judged. */
  take(record: BrokerRecord, eventId: unknown): boolean {
    if (record.headers[HEADERS.replayOf] !== undefined) return true;
    const { topic } = record;
    this.#changes.set(topic, (this.#changes.get(topic) ?? 0) + 1);
    if (!this.#positions.admit(record)) {
      this.#notRising.set(topic, (this.#notRising.get(topic) ?? 0) + 1);
      return false;
    }
    if (typeof eventId !== 'string' || !IS_ID.test(eventId)) return true;
    let ids = this.#ids.get(topic);
    if (ids === undefined) {
      ids = new IdList();
      this.#ids.set(topic, ids);
    }
    ids.add(eventId);
    return true;
  }

  /** Changes of a topic, and how many of them are repeats. */
  result(): readonly { readonly topic: string; readonly changes: number; readonly repeats: number }[] {
    return [...this.#changes].map(([topic, changes]) => ({
      topic,
      changes,
      repeats: (this.#notRising.get(topic) ?? 0) + (this.#ids.get(topic)?.repeats() ?? 0),
    }));
  }
}
