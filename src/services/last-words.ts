import { existsSync, readFileSync } from 'node:fs';

const CHARS_MAX = 20_000;
const LINES = 3;

/** The last lines of a server's logs that speak of a fault, or the last ones at all; of files that are there. */
export function lastWords(files: readonly string[]): string {
  const lines = files.flatMap((file) =>
    existsSync(file) ? readFileSync(file, 'utf8').slice(-CHARS_MAX).trimEnd().split('\n') : [],
  );
  const faults = lines.filter((line) => / (ERROR|FATAL) |^(Error|Caused by|Exception)/.test(line));
  return (faults.length > 0 ? faults : lines).slice(-LINES).join('\n');
}
