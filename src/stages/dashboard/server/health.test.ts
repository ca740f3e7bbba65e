import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RETRYING_AFTER_MS, SILENT_AFTER_MS } from '../../../contracts/live.ts';
import { SHOP_STAGES, shopHealth } from '../testing/fake-shop.ts';
import { judge } from './health.ts';

const NOW = 1_790_000_000_000;
const reports = shopHealth(NOW);
const capture = reports.find(({ stage }) => stage === 'capture')!;
const others = reports.filter(({ stage }) => stage !== 'capture');
const problems = (changed: Partial<typeof capture>, expected = SHOP_STAGES, since = NOW) =>
  judge([...others, { ...capture, ...changed }], expected, NOW, () => since).map(
    ({ stage, problem }) => `${stage} ${problem}`,
  );

test('a system whose stages all report is well', () => {
  assert.deepEqual(
    judge(reports, SHOP_STAGES, NOW + SILENT_AFTER_MS, () => NOW),
    [],
  );
});

test('a failed, stopped, silent or missing stage is a problem, named as such', () => {
  assert.deepEqual(problems({ state: 'failed', last_error: 'slot lost' }), ['capture failed']);
  assert.deepEqual(problems({ state: 'stopped' }), ['capture stopped']);
  assert.deepEqual(problems({ at: NOW - SILENT_AFTER_MS - 1 }), ['capture silent']);
  assert.deepEqual(judge(others, ['capture'], NOW, () => NOW)[0]?.problem, 'missing');
});

test('a stage that nobody expects is a problem only while it says that it failed', () => {
  assert.deepEqual(problems({ at: NOW - SILENT_AFTER_MS - 1 }, []), []);
  assert.deepEqual(problems({ state: 'stopped' }, []), []);
  assert.deepEqual(problems({ state: 'failed' }, []), ['capture failed']);
  assert.deepEqual(problems({ state: 'failed', at: NOW - SILENT_AFTER_MS - 1 }, []), []);
});

test('a stage that retries is a problem when that lasts, not when it is a blip', () => {
  const retrying = { state: 'retrying', last_error: 'disk is full' } as const;
  assert.deepEqual(problems(retrying, SHOP_STAGES, NOW - RETRYING_AFTER_MS), []);
  assert.deepEqual(problems(retrying, SHOP_STAGES, NOW - RETRYING_AFTER_MS - 1), ['capture retrying']);
  assert.deepEqual(problems({ state: 'running' }, SHOP_STAGES, NOW - RETRYING_AFTER_MS - 1), []);
});

test('a stage of which only processes are left that stand by is a problem when nobody takes over', () => {
  const standby = { state: 'standby' } as const;
  assert.deepEqual(problems(standby, SHOP_STAGES, NOW - SILENT_AFTER_MS), []);
  assert.deepEqual(problems(standby, SHOP_STAGES, NOW - SILENT_AFTER_MS - 1), ['capture missing']);
  assert.deepEqual(problems(standby, [], NOW - SILENT_AFTER_MS - 1), []);
});
