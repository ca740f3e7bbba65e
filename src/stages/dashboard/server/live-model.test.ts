import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIVE_SPAN_MS, LIVE_WINDOW_MS, liveKey, SILENT_AFTER_MS } from '../../../contracts/live.ts';
import { metricKey } from '../../../contracts/metric-value.ts';
import { WINDOW_MS } from '../../../contracts/metrics.ts';
import { HEALTH_MAX } from '../../../stores/metrics-store/metrics-store.ts';
import { shopHealth, shopWindow } from '../testing/fake-shop.ts';
import { liveModel as newModel } from './live-model.ts';
import { DEFAULT_SCOPE } from './live-scope.ts';
import { liveValue } from './live-values.ts';

const START = 1_790_000_010_000 - (1_790_000_010_000 % WINDOW_MS);
/** The model as a viewer who chose nothing sees it. */
const liveModel = (now: () => number) => {
  const model = newModel(now);
  return { ...model, since: (seq: number) => model.since(seq, DEFAULT_SCOPE) };
};
const early = shopWindow(START, START + 5_000);
const late = shopWindow(START, START + 20_000);
const of = <T>(values: T[]) => ({ values: values as never, health: [] });

test('a viewer of any tick is brought up to date by what changed after it, and nothing else', () => {
  const model = liveModel(() => START);
  assert.equal(model.advance(), false);
  model.apply(of(early));
  assert.equal(model.advance(), true);
  const first = model.seq();
  model.apply({ values: [late[0]!], health: shopHealth(START).slice(0, 1) });
  model.advance();
  assert.deepEqual(model.since(first).values, [liveValue(late[0]!)]);
  assert.deepEqual(
    model.since(first).stages.map(({ stage }) => stage),
    ['generator'],
  );
  assert.equal(model.since(0).values.length, early.length);
  assert.deepEqual(model.since(model.seq()).values, []);
});

test('an older version never replaces a newer one, and says that nothing changed', () => {
  const model = liveModel(() => START);
  model.apply(of(late));
  assert.equal(model.apply(of(early)), false);
  assert.deepEqual(model.since(0).values[0], liveValue(late[0]!));
  const [health] = shopHealth(START);
  assert.equal(model.apply({ values: [], health: [health!] }), true);
  assert.equal(model.apply({ values: [], health: [{ ...health!, at: START - 1, state: 'failed' }] }), false);
  assert.equal(model.stages()[0]?.state, 'running');
});

test('a state is dated from when it was said first', () => {
  const model = liveModel(() => START);
  const [health] = shopHealth(START);
  const say = (at: number, state: 'running' | 'retrying') => {
    model.apply({ values: [], health: [{ ...health!, at, state }] });
    return model.stateSince(health!.stage);
  };
  assert.equal(say(START + 1, 'retrying'), START + 1);
  assert.equal(say(START + 9, 'retrying'), START + 1);
  assert.equal(say(START + 10, 'running'), START + 10);
});

test('windows older than the page shows are let go, and do not come back', () => {
  const model = liveModel(() => START);
  model.apply(of(late));
  const next = START + LIVE_SPAN_MS + WINDOW_MS;
  model.apply(of(shopWindow(next, next + 5_000)));
  assert.ok(model.since(0).values.every((value) => value.window_start === next));
  assert.equal(model.apply(of(shopWindow(START, START + 29_000))), false);
});

test('what it holds is bounded: a flood of groups costs the oldest windows', () => {
  const model = liveModel(() => START);
  const group = (start: number, id: number) => ({
    ...late[0]!,
    window_start: start,
    group: { currency: `C${id}` },
  });
  for (let window = 0; window < 5; window++)
    model.apply(of(Array.from({ length: 5_000 }, (_, id) => group(START + window * WINDOW_MS, id))));
  const { values } = model.since(0);
  assert.equal(values.length, 20_000);
  assert.ok(values.every((value) => value.window_start > START));
});

test('metrics that the page does not show do not travel, and the key is the store’s', () => {
  assert.equal(liveValue({ ...late[0]!, metric: 'searches' }), null);
  const value = liveValue(late[0]!)!;
  assert.equal(liveKey(value), metricKey(late[0]!));
  assert.equal(LIVE_WINDOW_MS, WINDOW_MS);
});

test('the processes of a stage are one stage, brought up to date whole', () => {
  let now = START;
  const model = liveModel(() => now);
  const [health] = shopHealth(START);
  const say = (instance: string, change: Partial<typeof health> = {}) => {
    model.apply({ values: [], health: [{ ...health!, instance, at: now, processed: 10, ...change }] });
    model.advance();
  };
  say('a');
  say('b');
  const before = model.seq();
  say('c', { at: now });
  assert.deepEqual(
    model.since(before).stages.map(({ instances, processed }) => [instances, processed]),
    [[3, 30]],
  );
  now += SILENT_AFTER_MS + 1;
  say('b', { processed: 11 });
  assert.deepEqual(
    model.stages().map(({ instances, processed }) => [instances, processed]),
    [[undefined, 11]],
  );
  assert.deepEqual(
    model.instances().map((all) => all.map(({ instance }) => instance)),
    [['b']],
  );
});

test('a stage came into the state of those who are left when the last other one spoke', () => {
  let now = START;
  const model = liveModel(() => now);
  const [health] = shopHealth(START);
  const say = (instance: string, state: 'running' | 'standby' | 'failed') =>
    model.apply({ values: [], health: [{ ...health!, instance, at: now, state }] });
  say('b', 'standby');
  now += 5_000;
  say('a', 'running');
  say('b', 'standby');
  assert.equal(model.stateSince(health!.stage), START + 5_000);
  now += 1_000;
  say('a', 'failed');
  say('b', 'standby');
  assert.deepEqual([model.stages()[0]?.state, model.stateSince(health!.stage)], ['standby', START + 6_000]);
});

test('processes come and go without end: the longest silent are forgotten', () => {
  const model = liveModel(() => START);
  const [health] = shopHealth(START);
  for (let at = 1; at <= HEALTH_MAX + 50; at++)
    model.apply({ values: [], health: [{ ...health!, stage: `s${at}`, at }] });
  const stages = model.stages().map(({ stage }) => stage);
  assert.deepEqual(
    [stages.length, stages.includes('s50'), stages.includes('s51')],
    [HEALTH_MAX, false, true],
  );
});
