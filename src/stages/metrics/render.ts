// A cell as the record that goes to topic `metrics`.
import { groupKey } from '../../contracts/metric-value.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { partitionOf } from '../../lib/partition.ts';
import type { OutgoingRecord } from '../../stores/broker/broker.ts';
import type { Cell } from './aggregates.ts';
import type { CompiledDefinition } from './compile.ts';
import type { Scalar } from './fields.ts';

const { name: topic, partitions } = TOPICS.metrics;

const objectText = (names: readonly string[], values: readonly Scalar[]): string =>
  `{${names.map((name, i) => `${JSON.stringify(name)}:${JSON.stringify(values[i])}`).join(',')}}`;

/** The cell's values as a MetricValue (contracts/metric-value.ts), absolute as of now. */
export function renderCell(cell: Cell): OutgoingRecord {
  const { definition, window, group, labels, events, revision } = cell;
  // The key is metricKey's, made without the object.
  const key = `${definition.name}|${groupKey(group as unknown as Record<string, string>)}|${window.start}`;
  const text =
    `{"metric":"${definition.name}","group":${objectText(definition.groupBy, group)}` +
    `,"labels":${objectText(definition.labels, labels)}` +
    `,"window_start":${window.start},"window_end":${window.end},"values":{${valuesText(definition, cell.sums)}}` +
    `,"events":${events},"state":"${window.closed ? 'closed' : 'open'}","revision":${revision}` +
    `,"newest_event_time":${cell.newestEventTime},"newest_committed_at":${cell.newestCommittedAt}}`;
  return { topic, partition: partitionOf(key, partitions), key, value: Buffer.from(text), headers: {} };
}

/** Not finite: a min or max over nothing, or a ratio to nothing. */
const number = (value: number): string => (Number.isFinite(value) ? String(value) : 'null');

function valuesText({ slots, derived }: CompiledDefinition, sums: readonly number[]): string {
  let text = '';
  for (let i = 0; i < slots.length; i++)
    text += `${i === 0 ? '' : ','}"${slots[i]!.name}":${number(sums[i]!)}`;
  if (derived.length === 0) return text;
  const values = sums.slice();
  for (const { name, ratio, a, b } of derived) {
    const value = ratio ? values[a]! / values[b]! : values[a]! - values[b]!;
    values.push(value);
    text += `,"${name}":${number(value)}`;
  }
  return text;
}
