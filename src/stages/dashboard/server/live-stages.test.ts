import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SILENT_AFTER_MS } from '../../../contracts/live.ts';
import type { StageHealth } from '../../../contracts/stage-health.ts';
import { shopHealth } from '../testing/fake-shop.ts';
import { liveStage, liveStages } from './live-stages.ts';

const NOW = 1_790_000_000_000;
const GONE = NOW - SILENT_AFTER_MS - 1;
const loader = shopHealth(NOW).find(({ stage }) => stage === 'loader')!;
const process = (instance: string, change: Partial<StageHealth> = {}): StageHealth => ({
  ...loader,
  instance,
  ...change,
});

test('a process alone is the stage as it says', () => {
  assert.deepEqual(liveStage([loader], NOW), loader);
  const { instance: _, ...said } = process('a', { state: 'failed', last_error: 'disk full', errors: 3 });
  assert.deepEqual(liveStage([process('a', said)], NOW), said);
});

test('what several processes do is added, the newest record is the newest of any', () => {
  const a = process('a', { lag: 3, processed: 5, errors: 1, newest_at: NOW - 9, figures: { late: 2 } });
  const b = process('b', {
    lag: null,
    processed: 7,
    dead_letters: 4,
    newest_at: null,
    figures: { late: 1, x: 1 },
  });
  const { instances, standby, lag, processed, errors, dead_letters, newest_at, figures } = liveStage(
    [a, b],
    NOW,
  );
  assert.deepEqual(
    [instances, standby, lag, processed, errors, newest_at],
    [2, undefined, 3, 12, 1, NOW - 9],
  );
  assert.deepEqual([dead_letters, figures], [loader.dead_letters + 4, { late: 3, x: 1 }]);
});

test('who stands by is counted apart, and what waits for both is not counted twice', () => {
  const standby = process('b', { state: 'standby', lag: 50 });
  const stage = liveStage([process('a', { lag: 50 }), standby], NOW);
  assert.deepEqual([stage.state, stage.instances, stage.standby, stage.lag], ['running', undefined, 1, 50]);
  const alone = liveStage([standby], NOW);
  assert.deepEqual([alone.state, alone.standby], ['standby', undefined]);
});

test('the stage runs while any process does; what went wrong with another is told', () => {
  const retrying = process('b', { state: 'retrying', last_error: 'connection lost' });
  const failed = process('c', { state: 'failed', last_error: 'disk full' });
  const state = (...all: StageHealth[]) => {
    const merged = liveStage(all, NOW);
    return [merged.state, merged.last_error, merged.instances];
  };
  assert.deepEqual(state(process('a'), retrying), ['running', 'connection lost', 2]);
  assert.deepEqual(state(retrying, failed, process('a')), ['running', 'disk full', 2]);
  assert.deepEqual(state(failed, retrying), ['retrying', 'disk full', undefined]);
});

test('a process that is silent or stopped is forgotten while another one lives, and stands for the stage alone', () => {
  const silent = process('old', { at: GONE, lag: 900, state: 'retrying', last_error: 'connection lost' });
  const stopped = process('older', { at: NOW - 1, state: 'stopped', processed: 1_000 });
  assert.deepEqual(liveStage([silent, stopped, process('new')], NOW), loader);
  assert.deepEqual(liveStage([silent, stopped], NOW).state, 'stopped');
  assert.deepEqual(liveStage([silent], NOW).at, GONE);
});

test('stages stay apart, in the order they were met', () => {
  const all = [process('a'), { ...loader, stage: 'capture' }, process('b')];
  assert.deepEqual(
    liveStages(all, NOW).map(({ stage, instances }) => [stage, instances]),
    [
      ['loader', 2],
      ['capture', undefined],
    ],
  );
});
