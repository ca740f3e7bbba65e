// The dead letters, as the accounting needs them: which record was refused by whom, and what capture could not write.
import { DEAD_LETTER_HEADERS } from '../../contracts/dead-letter.ts';
import { HEADERS, TOPICS } from '../../contracts/topics.ts';
import type { Broker, BrokerRecord } from '../../stores/broker/broker.ts';
import { readPartitions } from './read-log.ts';

export class Letters {
  readonly #refused = new Map<string, string>();
  readonly #reasons = new Map<string, string>();
  readonly #seen = new Set<string>();
  /** How many by `stage reason`; one that was written twice counts once. */
  readonly counts = new Map<string, number>();
  /** Sales and visits whose event was larger than a record may be: nothing of them can be compared. */
  readonly tooLarge = { sales: new Set<number>(), visits: new Set<number>() };

  take(record: BrokerRecord): void {
    const header = (name: keyof typeof DEAD_LETTER_HEADERS) =>
      record.headers[DEAD_LETTER_HEADERS[name]] ?? '';
    const [stage, reason, topic] = [header('stage'), header('reason'), header('topic')];
    const place = `${topic}/${header('partition')}/${header('offset')}`;
    this.#reasons.set(`${TOPICS.deadLetters.name}/${record.partition}/${record.offset}`, reason);
    const identity = `${stage}|${place}|${record.headers[HEADERS.position] ?? ''}`;
    if (this.#seen.has(identity)) return;
    this.#seen.add(identity);
    this.counts.set(`${stage} ${reason}`, (this.counts.get(`${stage} ${reason}`) ?? 0) + 1);
    if (stage === 'capture') {
      if (reason === 'record_too_large') this.#leaveOut(topic, record);
    } else {
      this.#refused.set(`${stage}|${place}`, reason);
    }
  }

  #leaveOut(topic: string, { key, value }: BrokerRecord): void {
    if (topic === TOPICS.transactions.name) {
      this.tooLarge.sales.add(Number(key));
      return;
    }
    const id = /"interaction_id":(\d+)/.exec(Buffer.from(value).toString())?.[1];
    if (id !== undefined) this.tooLarge.visits.add(Number(id));
  }

  /** Why a stage refused this record; undefined where it did not. */
  reason(stage: string, { topic, partition, offset }: BrokerRecord): string | undefined {
    return this.#refused.size === 0
      ? undefined
      : this.#refused.get(`${stage}|${topic}/${partition}/${offset}`);
  }

  /** Why the letter of this id was written. */
  reasonOf(letter: string): string | undefined {
    return this.#reasons.get(letter);
  }
}

/** Reads all dead letters that are there now. */
export async function readLetters(broker: Pick<Broker, 'read' | 'partitions'>): Promise<Letters> {
  const letters = new Letters();
  await readPartitions(broker, await broker.partitions(TOPICS.deadLetters.name), (record) =>
    letters.take(record),
  );
  return letters;
}
