import assert from 'node:assert/strict';
import test from 'node:test';
import { METRICS } from '../src/contracts/metrics.ts';
import { type Random, seededRandom } from '../src/lib/random.ts';
import type { Accounting } from '../src/stages/metrics/engine.ts';
import { topicPartition } from '../src/stores/broker/broker.ts';
import { drive, recordsOf } from './support/golden/drive.ts';
import { expectedOf, inputOf, shownOf } from './support/golden/files.ts';
import { type Line, naive } from './support/golden/naive.ts';
import { ledgerOf, salesOf } from './support/golden/sales-ledger.ts';
import { GOLDEN_SETS } from './support/golden/sets.ts';

/** Another order in which a reader may meet the partitions: within each the order stays, none runs far ahead. */
function interleaved(lines: readonly Line[], random: Random): readonly Line[] {
  const placed = new Map<string, number>();
  return lines
    .map((line, i) => {
      const name = topicPartition(line.topic, line.partition);
      const at = Math.max(i + random.int(0, 40), (placed.get(name) ?? -1) + 0.001);
      placed.set(name, at);
      return { line, at };
    })
    .sort((a, b) => a.at - b.at)
    .map(({ line }) => line);
}

const SETS = ['tiny', ...Object.keys(GOLDEN_SETS)];

for (const set of SETS) {
  // What is too late depends on how far the reader is: the naive model is always at the end.
  const live = set === 'late';
  const lines = inputOf(set);
  const expected = expectedOf(set);
  test(`golden ${set}: straight`, () => {
    assert.deepEqual(shownOf(drive(recordsOf(lines), { live })), expected);
  });
  test(`golden ${set}: one record a batch, and all in one checkpoint`, () => {
    assert.deepEqual(shownOf(drive(recordsOf(lines), { live, batch: 1, saveEvery: 1_000 })), expected);
  });
  test(`golden ${set}: with crashes, going on from the checkpoint`, () => {
    const middle = Math.floor(lines.length / 2);
    for (const crashes of [[1], [middle], [7, 23, 5, 40], [middle, 0, 11, 35]]) {
      assert.deepEqual(shownOf(drive(recordsOf(lines), { live, crashes, batch: 4 })), expected);
    }
  });
  test(`golden ${set}: partitions met in another order`, () => {
    for (const seed of [1, 2, 3]) {
      const order = interleaved(lines, seededRandom(`${set}/${seed}`));
      assert.notDeepEqual(order, lines);
      assert.deepEqual(shownOf(drive(recordsOf(order), { live, crashes: [19, 60] })), expected);
    }
  });
  test(`golden ${set}: nothing is lost between windows, ledgers and counts`, () => {
    const { accounting, settled } = drive(recordsOf(lines), { live, crashes: [20, 30] });
    assert.deepEqual(withoutWindowsLeft(settled), withoutWindowsLeft(accounting));
    assert.deepEqual(salesOf(accounting), ledgerOf(lines));
  });
}

for (const set of ['straight', 'ledger']) {
  test(`golden ${set}: shuffled without regard to partitions`, () => {
    const random = seededRandom(`shuffle/${set}`);
    const lines = inputOf(set)
      .map((line) => ({ line, at: (line.event['event_time'] as number) + random.int(0, 60_000) }))
      .sort((a, b) => a.at - b.at)
      .map(({ line }) => line);
    assert.deepEqual(shownOf(drive(recordsOf(lines), { crashes: [33] })), expectedOf(set));
  });
}

test('golden files are what their generator and the naive model make', () => {
  for (const [set, make] of Object.entries(GOLDEN_SETS)) {
    assert.deepEqual(inputOf(set), JSON.parse(JSON.stringify(make())), set);
  }
  for (const set of SETS) assert.deepEqual(expectedOf(set), naive(inputOf(set), METRICS), set);
});

test('golden late: what comes after its window closed is counted late and revises it', () => {
  const { figures, values } = drive(recordsOf(inputOf('late')), { live: true });
  assert.ok(figures['late']! >= 15, `late ${figures['late']}`);
  assert.ok([...values.values()].some((value) => value.revision > 0));
});

/** Windows and ledgers together hold the same before and after the windows are settled. */
const withoutWindowsLeft = ({ offsets, windows, tooLate, quarantined, events }: Accounting) => ({
  offsets,
  windows,
  tooLate,
  quarantined,
  events,
});
