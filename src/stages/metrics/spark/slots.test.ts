import assert from 'node:assert/strict';
import test from 'node:test';
import { METRICS, type MetricDefinition } from '../../../contracts/metrics.ts';
import { planSlots, slotName } from './slots.ts';

const definition = (
  name: string,
  topics: readonly string[],
  aggregates: MetricDefinition['aggregates'],
): MetricDefinition => ({ name, topics, groupBy: [], windowMs: 1, aggregates });

const count = { fn: 'count' } as const;
const sum = (field: string) => ({ fn: 'sum', field }) as const;
const distinct = (field: string) => ({ fn: 'distinct', field }) as const;

test('what never meets in a row shares a column, what is the same too', () => {
  const definitions = [
    definition('a', ['x'], { n: count, s: sum('f'), d: distinct('f') }),
    definition('b', ['y'], { s: sum('g'), d: distinct('g') }),
    definition('c', ['x', 'y'], { n: count, s: sum('g') }),
  ];
  const { columns, of } = planSlots(definitions);
  const names = definitions.map((one) => of(one).map(slotName));
  assert.deepEqual(names, [
    ['count_0', 'sum_0', 'set_0'],
    ['sum_0', 'set_0'],
    // The column where y has the sum of g is another one's for x.
    ['count_0', 'sum_1'],
  ]);
  assert.deepEqual(
    columns.get('sum_0'),
    new Map<string, unknown>([
      ['x', sum('f')],
      ['y', sum('g')],
    ]),
  );
});

test('no two aggregates of the metrics stand in one column of a topic', () => {
  const { columns, of } = planSlots(METRICS);
  for (const definition of METRICS) {
    const aggregates = Object.values(definition.aggregates);
    of(definition).forEach((slot, i) => {
      for (const topic of definition.topics) {
        assert.deepEqual(columns.get(slotName(slot))?.get(topic), aggregates[i], definition.name);
      }
    });
  }
  assert.ok(columns.size <= 29, `${columns.size} columns`);
});
