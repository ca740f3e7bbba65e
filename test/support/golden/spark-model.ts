// What the Spark query does, in few lines: records in, rows of topic spark_windows out, a micro-batch at a time.
import {
  FUTURE_LIMIT_MS,
  type MetricDefinition,
  REPAIR_HORIZON_MS,
  WATERMARK_DELAY_MS,
} from '../../../src/contracts/metrics.ts';
import { HEADERS, SPARK_WINDOWS_TOPIC } from '../../../src/contracts/topics.ts';
import { partitionOf } from '../../../src/lib/partition.ts';
import { type Cell, feed, feedSums, newCell } from '../../../src/stages/metrics/aggregates.ts';
import {
  CAPTURED_AT,
  COMMITTED_AT,
  compile,
  EVENT_TIME,
  type Feed,
  type Op,
  type Program,
  type TopicProgram,
} from '../../../src/stages/metrics/compile.ts';
import type { Scalar } from '../../../src/stages/metrics/fields.ts';
import { dayOf, groupPlace } from '../../../src/stages/metrics/ledgers.ts';
import type { BrokerRecord, OutgoingRecord } from '../../../src/stores/broker/broker.ts';

interface Row {
  readonly d: string;
  readonly k: readonly (string | null)[];
  readonly w: number;
  n: number;
  v: (number | null)[];
  l: (string | null)[];
  t: number;
  c: number;
  readonly cell: Cell | null;
}

const text = (value: Scalar): string | null => (value === null ? null : String(value));
const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Counts one generation. What it holds is what Spark holds in its own checkpoint. */
export class SparkModel {
  readonly #program: Program;
  readonly #generation: string;
  readonly #rows = new Map<string, Row>();
  #newest = 0;

  constructor(definitions: readonly MetricDefinition[], generation: string) {
    this.#program = compile(definitions);
    this.#generation = generation;
  }

  /** The rows that a batch of these records writes, in the order of its two tasks. */
  batch(records: readonly BrokerRecord[], batchMs: number): readonly OutgoingRecord[] {
    const dropped = this.#newest - WATERMARK_DELAY_MS - REPAIR_HORIZON_MS;
    const touched = new Set<Row>();
    const touch = (d: string, k: Row['k'], w: number, cell: () => Cell | null = () => null): Row | null => {
      if (w !== 0 && w <= dropped) return null;
      const key = `${d}|${JSON.stringify(k)}|${w}`;
      const row = this.#rows.get(key) ?? { d, k, w, n: 0, v: [], l: [], t: 0, c: 0, cell: cell() };
      this.#rows.set(key, row);
      touched.add(row);
      row.n++;
      return row;
    };
    for (const record of records) this.#count(record, batchMs, touch);
    const written = [...touched].map((row) => this.#written(row, batchMs));
    return written.sort((a, b) => (a.partition % 2) - (b.partition % 2));
  }

  #count(record: BrokerRecord, now: number, touch: Touch): void {
    const { topic, headers } = record;
    const program = this.#program.topics.get(topic)!;
    const forStage = headers[HEADERS.replayFor];
    const again = forStage === 'metrics' ? '_again' : '';
    const read = readEvent(program, record);
    const arrived = Math.max(now, this.#newest);
    if (forStage !== undefined && again === '') return source(record, '', 'ignored', null, touch);
    if (read !== null) {
      source(record, '', `refused${again}`, null, touch);
      return refuse(record, arrived, read.reason, read.message, touch);
    }
    const { values } = program;
    const time = values[EVENT_TIME] as number;
    const ahead = time - (values[CAPTURED_AT] as number);
    const day = dayOf(time);
    const bits = program.bits();
    const taking = program.feeds.flatMap((one) => {
      const ops = one.opsFor(bits);
      return ops === null ? [] : [{ one, ops }];
    });
    if (ahead > FUTURE_LIMIT_MS && !(again !== '' && time <= now + FUTURE_LIMIT_MS)) {
      source(record, day, `quarantined${again}`, null, touch);
      if (again === '')
        for (const { one, ops } of taking) ledger('quarantined', day, one, ops, values, touch);
      return refuse(
        record,
        arrived,
        'future_event_time',
        `event_time is ${ahead} ms ahead of captured_at`,
        touch,
      );
    }
    if (again !== '') {
      source(record, day, ahead > FUTURE_LIMIT_MS ? 'unquarantined' : 'unrefused', null, touch);
      if (ahead > FUTURE_LIMIT_MS) {
        for (const { one, ops } of taking) ledger('unquarantined', day, one, ops, values, touch);
      }
    }
    const snapshot = headers[HEADERS.snapshot] === '1';
    const name = taking.length === 0 ? 'ignored' : snapshot ? 'taken_snapshot' : 'taken';
    source(record, day, name, snapshot ? null : time, touch);
    if (!snapshot) this.#newest = Math.max(this.#newest, time);
    for (const { one, ops } of taking) ledger('taken', day, one, ops, values, touch);
    const end = Math.floor(time / this.#program.windowMs) * this.#program.windowMs + this.#program.windowMs;
    const isHistory = snapshot && end <= now - WATERMARK_DELAY_MS - REPAIR_HORIZON_MS;
    if (!isHistory && taking.length > 0) this.#windows(topic, end, snapshot, taking, values, touch);
  }

  #windows(
    topic: string,
    end: number,
    snapshot: boolean,
    taking: readonly { readonly one: Feed; readonly ops: readonly Op[] }[],
    values: readonly Scalar[],
    touch: Touch,
  ): void {
    const events = touch('_events', [topic], end);
    if (events !== null) events.v = [(events.v[0] ?? 0) + (snapshot ? 1 : 0)];
    const window = { start: end - this.#program.windowMs, end, closed: false, tables: [] };
    for (const { one, ops } of taking) {
      const group = one.group.map((place) => values[place]!);
      const row = touch(one.definition.name, group.map(text), end, () =>
        newCell(one.definition, window, group, 0),
      );
      if (row === null) continue;
      feed(row.cell!, ops, values);
      row.v = row.cell!.sums.map(finite);
      row.l = one.labels.map((place, i) => {
        const label = text(values[place]!);
        const shown = row.l[i] ?? null;
        return shown === null || (label !== null && label > shown) ? label : shown;
      });
      row.t = Math.max(row.t, values[EVENT_TIME] as number);
      row.c = Math.max(row.c, values[COMMITTED_AT] as number);
    }
  }

  #written({ d, k, w, n, v, l, t, c }: Row, b: number): OutgoingRecord {
    const g = this.#generation;
    const key = `${g}|${d}|${JSON.stringify(k)}|${w}`;
    const value = Buffer.from(JSON.stringify({ g, b, d, k, w, n, v, l, t, c }));
    const { name: topic, partitions } = SPARK_WINDOWS_TOPIC;
    return { topic, partition: partitionOf(key, partitions), key, value, headers: {} };
  }
}

type Touch = (d: string, k: Row['k'], w: number, cell?: () => Cell | null) => Row | null;

function source(
  { topic, partition, offset }: BrokerRecord,
  day: string,
  name: string,
  moves: number | null,
  touch: Touch,
): void {
  const row = touch('_source', [topic, String(partition), day, name], 0)!;
  const before = row.v[1] ?? null;
  row.v = [offset, moves === null ? before : Math.max(moves, before ?? moves)];
}

function refuse(record: BrokerRecord, arrived: number, reason: string, message: string, touch: Touch): void {
  const { topic, partition, offset } = record;
  touch('_refused', [topic, String(partition), String(offset), reason, message], arrived + 86_400_000);
}

function ledger(
  fate: string,
  day: string,
  { definition, group }: Feed,
  ops: readonly Op[],
  values: readonly Scalar[],
  touch: Touch,
): void {
  const place = groupPlace(definition);
  if (place < 0) return;
  const row = touch(`_ledger/${definition.name}`, [fate, day, text(values[group[place]!]!)], 0)!;
  const sums = definition.slots.map((_, slot) => row.v[slot] ?? 0);
  feedSums(sums, ops, values, 1);
  row.v = sums;
}

function readEvent(program: TopicProgram, { value }: BrokerRecord) {
  try {
    const message = program.read(JSON.parse(Buffer.from(value).toString()));
    return message === null ? null : { reason: 'schema', message };
  } catch {
    return { reason: 'invalid_json', message: 'the bytes are not JSON' };
  }
}
