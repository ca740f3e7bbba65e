// The golden files, and what an engine made of them in their shape.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Driven } from './drive.ts';
import { type Expected, type Line, withoutZeros } from './naive.ts';

const rows = (folder: string, set: string): unknown[] =>
  readFileSync(new URL(`../../golden/${folder}/${set}.ndjson`, import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .map((row) => JSON.parse(row));

export const inputOf = (set: string): readonly Line[] => rows('inputs', set) as Line[];
export function expectedOf(set: string): Expected {
  const [counts, ...windows] = rows('expected', set);
  return { ...(counts as Expected), windows: Object.fromEntries(windows as [string, unknown][]) };
}

/** What was driven, in the expected file's shape; every window must have been closed. */
export function shownOf({ values, accounting }: Driven): Expected {
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
