// One partition that is being read: what was fetched of it and not handed out yet.
import type { BrokerRecord, TopicPartition } from './broker.ts';
import { topicPartition } from './broker.ts';
import type { Fetched } from './kafka-apis.ts';
import { decodeBatch, type RawBatch, splitBatches } from './kafka-decode.ts';
import type { Place } from './kafka-offsets.ts';

export class Feed {
  readonly topic: string;
  readonly partition: number;
  readonly name: TopicPartition;
  readonly topicId: string;
  /** Node it is fetched from; -1 while nobody knows. */
  leader = -1;
  /** Where the next fetch begins. */
  next: number;
  /** Compressed bytes that wait here. */
  bytes = 0;
  /** Whether any fetch of it was answered. */
  isAnswered = false;
  /** The end of the log, as last heard. */
  #end: number;
  /** Records before it are of no interest: they were handed out, or are before where reading began. */
  #wanted: number;
  #raw: RawBatch[] = [];
  #records: readonly BrokerRecord[] = [];
  #index = 0;

  constructor({ topic, partition }: Place, topicId: string, next: number, end: number) {
    this.topic = topic;
    this.partition = partition;
    this.name = topicPartition(topic, partition);
    this.topicId = topicId;
    this.next = next;
    this.#wanted = next;
    this.#end = end;
  }

  /** Takes in what a fetch from `next` brought. */
  add({ data, highWatermark }: Fetched): void {
    this.isAnswered = true;
    this.#end = Math.max(this.#end, highWatermark);
    const { batches, next } = splitBatches(data);
    for (const batch of batches) {
      this.#raw.push(batch);
      this.bytes += batch.bytes.length;
    }
    if (next !== null) this.next = Math.max(this.next, next);
  }

  /** The next record, null when everything fetched has been handed out. Decodes a batch when it gets there. */
  peek(): BrokerRecord | null {
    while (this.#index >= this.#records.length) {
      const batch = this.#raw.shift();
      if (!batch) return null;
      this.bytes -= batch.bytes.length;
      // A batch is fetched whole, also when the wanted offset is in its middle.
      this.#records = decodeBatch(batch, this.topic, this.partition, this.#wanted);
      this.#index = 0;
    }
    return this.#records[this.#index]!;
  }

  /** Marks the record that `peek` gave as handed out. */
  take(record: BrokerRecord): void {
    this.#index++;
    this.#wanted = record.offset + 1;
  }

  /** Place of the next record: just after the last that was handed out, or after all that was fetched. */
  get position(): number {
    return this.peek()?.offset ?? this.next;
  }

  /** Records in the log that were not handed out yet. */
  get lag(): number {
    return Math.max(0, this.#end - this.position);
  }
}
