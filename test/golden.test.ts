import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { METRICS } from '../src/contracts/metrics.ts';
import { type Random, seededRandom } from '../src/lib/random.ts';
import type { Accounting, LedgerSums } from '../src/stages/metrics/engine.ts';
import { topicPartition } from '../src/stores/broker/broker.ts';
import { type Driven, drive, recordsOf } from './support/golden/drive.ts';
import { type Expected, type Line, naive, withoutZeros } from './support/golden/naive.ts';
import { GOLDEN_SETS } from './support/golden/sets.ts';

const rows = (folder: string, set: string): unknown[] =>
  readFileSync(new URL(`golden/${folder}/${set}.ndjson`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row));

const inputOf = (set: string): readonly Line[] => rows('inputs', set) as Line[];
function expectedOf(set: string): Expected {
  const [counts, ...windows] = rows('expected', set);
  return { ...(counts as Expected), windows: Object.fromEntries(windows as [string, unknown][]) };
}

/** What was driven, in the expected file's shape; every window must have been closed. */
function shownOf({ values, accounting }: Driven): Expected {
  const total = (fate: string) =>
    accounting.events.reduce((sum, row) => (row.fate === fate ? sum + row.count : sum), 0);
  const windows = [...values].map(([key, value]) => {
    assert.equal(value.state, 'closed', key);
    const { labels, events, newest_event_time, newest_committed_at } = value;
    return [
      key,
      { labels, values: withoutZeros(value.values), events, newest_event_time, newest_committed_at },
    ] as const;
  });
  return {
    quarantined: total('quarantined'),
    too_late: total('too_late'),
    windows: Object.fromEntries(windows.sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

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

/** Net rows and cents per day, currency and status over everything read. */
function salesOf({ windows, tooLate, quarantined }: Accounting): Record<string, [number, number]> {
  const net: Record<string, [number, number]> = {};
  const all: LedgerSums[] = [windows, tooLate, quarantined];
  for (const row of all.flatMap(({ sales }) => sales)) {
    add(net, `${row.day} ${row.currency} ${row.status} in`, row.entered, row.enteredMinor);
    add(net, `${row.day} ${row.currency} ${row.status} out`, row.left, row.leftMinor);
  }
  return net;
}

/** The same straight from the log. */
function ledgerOf(lines: readonly Line[]): Record<string, [number, number]> {
  const net: Record<string, [number, number]> = {};
  const known = ['completed', 'pending', 'failed', 'refunded', 'cancelled'];
  for (const { topic, event } of lines) {
    if (topic !== 'transactions' || event['op'] === 'items_changed') continue;
    const day = new Date(event['event_time'] as number).toISOString().slice(0, 10);
    const enter = (status: unknown, minor: unknown, way: string) => {
      if (status === null || status === 'deleted' || status === 'withdrawn') return;
      const name = known.includes(String(status)) ? status : 'other';
      add(net, `${day} ${event['currency']} ${name} ${way}`, 1, minor as number);
    };
    enter(event['status'], event['total_amount_minor'], 'in');
    enter(event['previous_status'], event['previous_total_amount_minor'], 'out');
  }
  return net;
}

function add(net: Record<string, [number, number]>, key: string, rowsBy: number, minor: number): void {
  if (rowsBy === 0) return;
  const [count, sum] = net[key] ?? [0, 0];
  net[key] = [count + rowsBy, sum + minor];
}
