// The query's side of the Spark engine, played by the model: reads the event topics, writes rows, a batch at a time.
import { METRICS } from '../../../src/contracts/metrics.ts';
import { EVENT_TOPICS } from '../../../src/contracts/topics.ts';
import { systemClock } from '../../../src/lib/clock.ts';
import type { QueryRun, WindowsQuery } from '../../../src/stages/metrics/spark/query.ts';
import {
  type BrokerRecord,
  type OutgoingRecord,
  type TopicPartition,
  topicPartition,
} from '../../../src/stores/broker/broker.ts';
import type { MemoryBroker } from '../memory-broker.ts';
import { SparkModel } from './spark-model.ts';

const RECORDS_MAX = 50;

/** What Spark's own checkpoint of a generation holds. */
interface Counted {
  readonly model: SparkModel;
  readonly next: Map<TopicPartition, number>;
  batchMs: number;
  /** A batch that was begun: run again as a whole. */
  rows: readonly OutgoingRecord[];
  reached: ReadonlyMap<TopicPartition, number>;
}

export class ModelQuery implements WindowsQuery {
  planVersion = 1;
  /** Generations, by start. */
  readonly starts: string[] = [];
  /** Awaited in the middle of each batch. */
  inBatch: () => Promise<void> = async () => {};
  readonly #broker: MemoryBroker;
  readonly #generations = new Map<string, Counted>();
  #isAtRest = false;

  constructor(broker: MemoryBroker) {
    this.#broker = broker;
  }

  async run({ generation, mayStart, signal }: QueryRun): Promise<void> {
    while (!signal.aborted) {
      await mayStart();
      this.starts.push(generation);
      this.#isAtRest = false;
      try {
        while (!signal.aborted) {
          this.#isAtRest = !(await this.#batch(this.#counted(generation)));
          if (this.#isAtRest) await systemClock.sleep(5, signal);
        }
      } catch {
        this.#isAtRest = false;
        await systemClock.sleep(5, signal);
      }
    }
  }

  #counted(generation: string): Counted {
    const known = this.#generations.get(generation);
    if (known !== undefined) return known;
    const names = EVENT_TOPICS.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => topicPartition(name, partition)),
    );
    const counted = {
      model: new SparkModel(METRICS, generation),
      next: new Map(names.map((name) => [name, 0])),
      batchMs: systemClock.now(),
      rows: [],
      reached: new Map(),
    };
    this.#generations.set(generation, counted);
    return counted;
  }

  /** false: nothing to do. */
  async #batch(counted: Counted): Promise<boolean> {
    if (counted.rows.length === 0) {
      const records = this.#records(counted);
      if (records.length === 0) return false;
      this.#isAtRest = false;
      counted.batchMs++;
      counted.rows = counted.model.batch(records, counted.batchMs);
      const reached = new Map(counted.next);
      for (const { topic, partition, offset } of records)
        reached.set(topicPartition(topic, partition), offset + 1);
      counted.reached = reached;
    }
    const half = Math.ceil(counted.rows.length / 2);
    await this.#broker.append(counted.rows.slice(0, half));
    await this.inBatch();
    await this.#broker.append(counted.rows.slice(half));
    for (const [name, next] of counted.reached) counted.next.set(name, next);
    counted.rows = [];
    return true;
  }

  #records({ next }: Counted): readonly BrokerRecord[] {
    return EVENT_TOPICS.flatMap(({ name }) => this.#broker.records(name))
      .filter(({ topic, partition, offset }) => offset >= next.get(topicPartition(topic, partition))!)
      .slice(0, RECORDS_MAX);
  }

  async isAtRest(): Promise<boolean> {
    return this.#isAtRest;
  }

  figures(): Readonly<Record<string, number>> {
    return { spark_starts: this.starts.length };
  }
}
