// Writes test/golden/inputs/<set>.ndjson and test/golden/expected/<set>.ndjson.
// The input `tiny` is written by hand and stays as it is.
import { readFileSync, writeFileSync } from 'node:fs';
import { METRICS } from '../../../src/contracts/metrics.ts';
import { type Line, naive } from './naive.ts';
import { GOLDEN_SETS } from './sets.ts';

const path = (folder: string, set: string): URL =>
  new URL(`../../golden/${folder}/${set}.ndjson`, import.meta.url);

/** First line: the counts. Then one line a window: [key, values]. */
function writeExpected(set: string, lines: readonly Line[]): void {
  const { windows, ...counts } = naive(lines, METRICS);
  const rows = [counts, ...Object.entries(windows)].map((row) => JSON.stringify(row));
  writeFileSync(path('expected', set), `${rows.join('\n')}\n`);
}

for (const [set, make] of Object.entries(GOLDEN_SETS)) {
  const lines = make();
  writeFileSync(path('inputs', set), `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  writeExpected(set, lines);
}
const tiny = readFileSync(path('inputs', 'tiny'), 'utf8').trim().split('\n');
writeExpected(
  'tiny',
  tiny.map((text) => JSON.parse(text) as Line),
);
