// The accounting for people: what was compared, what differs, and the verdict.
import { type Comparison, DIFFERENCES_SHOWN } from './compare.ts';
import type { Sum } from './sums.ts';

export interface VerifyReport {
  readonly verdict: 'agree' | 'DIFFER';
  /** When the shop's state was taken, epoch ms. */
  readonly at: number;
  /** Place of the cut in each database's log; null where it cannot be named (polling). */
  readonly cut: Readonly<Record<'instashop' | 'crm_db', string | null>>;
  readonly comparisons: readonly Comparison[];
  /** Changes in each topic, and how many stand there more than once. */
  readonly topics: readonly { readonly topic: string; readonly changes: number; readonly repeats: number }[];
  /** Distinct dead letters by `stage reason`. */
  readonly deadLetters: Readonly<Record<string, number>>;
  readonly notes: readonly string[];
}

/** The report as JSON text; digests as decimal texts. */
export const reportJson = (report: VerifyReport): string =>
  JSON.stringify(report, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value));

/** The report as lines of a terminal. */
export function formatReport(report: VerifyReport): string {
  const rows = report.comparisons.map(line);
  const widths = HEAD.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const table = [HEAD, ...rows].map((row) =>
    row
      .map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  '),
  );
  return [
    `Cut at ${new Date(report.at).toISOString()}: ${Object.entries(report.cut)
      .map(([database, place]) => `${database} ${place ?? 'in a quiet moment'}`)
      .join(', ')}`,
    '',
    ...table.map((row) => row.trimEnd()),
    '',
    ...report.comparisons.flatMap(details),
    ...report.topics.map(({ topic, changes, repeats }) =>
      repeats === 0
        ? `✓ ${topic}: ${changes} changes, each once`
        : `✗ ${topic}: ${repeats} of ${changes} changes stand there more than once`,
    ),
    ...Object.entries(report.deadLetters).map(([what, count]) => `  ${count} dead letters: ${what}`),
    ...report.notes.map((note) => `  ${note}`),
    '',
    report.verdict === 'agree' ? 'Everything agrees.' : 'DIFFER: not everything agrees.',
  ].join('\n');
}

const HEAD = ['what', 'places', 'rows', 'rows', 'amount', 'amount', 'verdict'];
const MARK = { agree: 'agree', differ: 'DIFFER', 'not compared': 'not compared' } as const;

function line({ what, left, right, leftTotal, rightTotal, verdict }: Comparison): string[] {
  const both = (show: (sum: Readonly<Sum>) => string): string[] =>
    verdict === 'not compared' ? ['-', '-'] : [show(leftTotal), show(rightTotal)];
  return [what, `${left} = ${right}`, ...both(({ rows }) => String(rows)), ...both(amount), MARK[verdict]];
}

const amount = ({ minor }: Readonly<Sum>): string => (minor / 100).toFixed(2);

function details({ what, left, right, differences, differing, notes }: Comparison): string[] {
  const lines = notes.map((note) => `  ${what}, ${left} = ${right}: ${note}`);
  for (const difference of differences) {
    const { key, left: one, right: other } = difference;
    const rows = other.rows - one.rows;
    const minor = other.minor - one.minor;
    const what2 =
      rows === 0 && minor === 0 ? 'other rows (digest)' : `${signed(rows)} rows, ${signed(minor / 100)}`;
    lines.push(`✗ ${what} ${key.replaceAll('|', ' ')}: ${right} has ${what2} against ${left}`);
  }
  if (differing > DIFFERENCES_SHOWN) lines.push(`  … and ${differing - DIFFERENCES_SHOWN} more`);
  return lines;
}

const signed = (value: number): string => (value < 0 ? String(value) : `+${value}`);
