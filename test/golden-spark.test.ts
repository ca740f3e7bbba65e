// The Spark engine's half in TypeScript, against the same golden files: a model of Spark writes its rows.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Accounting } from '../src/stages/metrics/engine.ts';
import { type BrokerRecord, topicPartition } from '../src/stores/broker/broker.ts';
import { drive, recordsOf } from './support/golden/drive.ts';
import { driveSpark, type SparkDrive } from './support/golden/drive-spark.ts';
import { expectedOf, inputOf, shownOf } from './support/golden/files.ts';
import type { Line } from './support/golden/naive.ts';
import { ledgerOf, salesOf } from './support/golden/sales-ledger.ts';
import { GOLDEN_SETS } from './support/golden/sets.ts';

const SETS = ['tiny', ...Object.keys(GOLDEN_SETS)];

/** Whether an event that no definition takes is too late for a window, only the embedded engine asks. */
const total = ({ events }: Accounting, fates: readonly string[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(events, ({ topic, day }) => `${topic} ${day}`)).map(([name, rows]) => [
      name,
      rows!.reduce((sum, { fate, count }) => sum + (fates.includes(fate) ? count : 0), 0),
    ]),
  );

function assertSame(actual: Accounting, expected: Accounting): void {
  for (const part of ['offsets', 'windows', 'tooLate', 'quarantined'] as const) {
    assert.deepEqual(actual[part], expected[part], part);
  }
  for (const fates of [['counted'], ['ignored', 'too_late'], ['quarantined'], ['history'], ['refused']]) {
    assert.deepEqual(total(actual, fates), total(expected, fates), fates.join());
  }
}

/** What a checkpoint says must be the log up to the offsets that it names: nothing of a half-written batch. */
function assertCut(accounting: Accounting, lines: readonly Line[], records: readonly BrokerRecord[]): void {
  const isIn = ({ topic, partition, offset }: BrokerRecord) =>
    offset < accounting.offsets.get(topicPartition(topic, partition))!;
  const read = lines.filter((_, i) => isIn(records[i]!));
  assert.deepEqual(salesOf(accounting), ledgerOf(read));
  assert.equal(
    accounting.events.reduce((sum, { count }) => sum + count, 0),
    read.length,
  );
  assert.ok(accounting.events.every(({ count }) => count > 0));
}

for (const set of SETS) {
  const live = set === 'late';
  const lines = inputOf(set);
  const records = recordsOf(lines);
  const embedded = drive(records, { live });
  const expected = expectedOf(set);
  const judge = async (options: SparkDrive) => {
    let saves = 0;
    const onSave = (accounting: Accounting) => {
      saves++;
      assertCut(accounting, lines, records);
    };
    const driven = await driveSpark(records, { live, onSave, ...options });
    const { too_late, ...shown } = shownOf(driven);
    const { too_late: _, ...rest } = expected;
    assert.deepEqual(shown, rest);
    assertSame(driven.accounting, embedded.accounting);
    assertSame(driven.settled, embedded.settled);
    assert.deepEqual(driven.refused, embedded.refused);
    assert.ok(too_late <= expected.too_late);
    return saves;
  };

  test(`golden ${set} by Spark: straight`, async () => {
    await judge({ seed: set, rerun: 0 });
  });
  test(`golden ${set} by Spark: one record a batch, and all in one`, async () => {
    await judge({ seed: set, batch: 1 });
    if (!live) await judge({ seed: set, batch: 1_000 });
  });
  test(`golden ${set} by Spark: with crashes, batches run again, partitions in any order`, async () => {
    let saves = 0;
    for (const seed of [1, 2, 3]) {
      for (const crash of [0.02, 0.15]) saves += await judge({ seed: `${set}/${seed}`, crash, rerun: 0.5 });
    }
    if (set !== 'tiny') assert.ok(saves > 6 * 3, `${saves} cuts`);
  });
}
