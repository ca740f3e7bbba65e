import assert from 'node:assert/strict';
import test from 'node:test';
import { METRICS, type MetricDefinition } from '../../../contracts/metrics.ts';
import { EVENT_TOPICS } from '../../../contracts/topics.ts';
import { compile } from '../compile.ts';
import { sparkPlan } from './plan.ts';
import { javaPattern, parseSql } from './validity-sql.ts';

const plan = (definitions: readonly MetricDefinition[] = METRICS, generation = 'g1') =>
  sparkPlan({ definitions, generation, kafka: { 'kafka.bootstrap.servers': 'b:1' }, readers: 3 });

/** Everything of a kind in a relation, from the outside in. */
function found(node: unknown, kind: string): Record<string, unknown>[] {
  if (typeof node !== 'object' || node === null) return [];
  const own = (node as { case?: unknown }).case === kind ? [(node as { value: never }).value] : [];
  return [...own, ...Object.values(node).flatMap((value) => found(value, kind))];
}

test('one source reads all event topics, in few tasks, and nothing of fenced writers', () => {
  const sources = found(plan(), 'dataSource') as { options: Record<string, string> }[];
  assert.equal(sources.length, 1);
  const { options } = sources[0]!;
  assert.deepEqual(options['subscribe']!.split(',').sort(), EVENT_TOPICS.map(({ name }) => name).sort());
  assert.equal(options['kafka.bootstrap.servers'], 'b:1');
  assert.equal(options['kafka.isolation.level'], 'read_committed');
  assert.deepEqual(
    found(plan(), 'repartition').map(({ numPartitions, shuffle }) => [numPartitions, shuffle]),
    [[3, false]],
  );
});

test('rows expire by the column that says so, after the horizon', () => {
  const delays = found(plan(), 'withWatermark').map(({ eventTime, delayThreshold }) => [
    eventTime,
    delayThreshold,
  ]);
  assert.deepEqual(delays, [['moves', '3610000 milliseconds']]);
  const names = found(plan(), 'alias').filter(({ metadata }) => metadata !== undefined);
  assert.deepEqual(
    names.map(({ name, metadata }) => [name, metadata]),
    [[['w'], '{"spark.watermarkDelayMs":3610000}']],
  );
});

test('the same definitions make the same plan, others another one', () => {
  assert.deepEqual(plan(), plan());
  assert.notDeepEqual(plan(), plan(METRICS, 'g2'));
  assert.notDeepEqual(plan(), plan(METRICS.slice(1)));
});

test('the clock stands in lambdas only: anywhere else each batch would compile its code anew', () => {
  const queries = found(plan(), 'sql').map(({ query }) => query as string);
  const clocks = queries.flatMap((query) => [...query.matchAll(/.{16}current_timestamp\(\).{6}/g)]);
  assert.ok(clocks.length > 0);
  for (const [clock] of clocks) assert.equal(clock, 'transform(array(current_timestamp()), now');
});

test('a definition that makes no sense is refused', () => {
  const [first] = METRICS;
  assert.throws(() => plan([{ ...first!, groupBy: ['colour'] }]), /transactions have no field colour/);
  assert.throws(() => plan([{ ...first!, topics: ['nowhere'] }]), /nowhere has no event contract/);
});

test('every field of every topic is read, once', () => {
  const program = compile(METRICS);
  const sql = parseSql(program);
  for (const { fields } of program.topics.values()) {
    for (const { name } of fields) assert.equal(sql.split(`\`${name}\`:`).length, 2, name);
  }
  assert.match(sql, /`event_time`: DOUBLE/);
  assert.match(sql, /`session_id`: STRING/);
});

test('patterns that Java might read otherwise are refused', () => {
  assert.equal(javaPattern('^[A-Z]{3}$'), '^[A-Z]{3}\\z');
  assert.equal(javaPattern('^(a|b)+c?$'), '^(a|b)+c?\\z');
  for (const pattern of ['^\\d+$', 'a.b', '^a$|^b$', '[^a]', '\\bA', '(?<!a)b', '^[\\w]$']) {
    assert.throws(() => javaPattern(pattern), /otherwise/, pattern);
  }
});
