// What is compared: rows, money and digest, added up by key. A key begins with its UTC day.
export interface Sum {
  rows: number;
  minor: number;
  digest: bigint;
}
export type Sums = ReadonlyMap<string, Readonly<Sum>>;

export const ZERO: Readonly<Sum> = Object.freeze({ rows: 0, minor: 0, digest: 0n });

/** Sums that grow. */
export class Totals {
  readonly sums = new Map<string, Sum>();

  add(key: string, rows: number, minor = 0, digest = 0n): void {
    const sum = this.sums.get(key);
    if (sum === undefined) {
      this.sums.set(key, { rows, minor, digest });
      return;
    }
    sum.rows += rows;
    sum.minor += minor;
    sum.digest += digest;
  }
}

export const keyOf = (...parts: readonly string[]): string => parts.join('|');
export const dayOfKey = (key: string): string => key.slice(0, key.indexOf('|'));
export const isZero = ({ rows, minor, digest }: Readonly<Sum>): boolean =>
  rows === 0 && minor === 0 && digest === 0n;

export const DAY_MS = 86_400_000;
let lastDay = Number.NaN;
let lastText = '';

/** UTC day of an instant as PostgreSQL writes it: years beyond 9999 have no sign. */
export function dayOf(timeMs: number): string {
  const day = Math.floor(timeMs / DAY_MS);
  if (day !== lastDay) {
    lastText = plainDay(new Date(day * DAY_MS).toISOString().split('T')[0]!);
    lastDay = day;
  }
  return lastText;
}

/** A day of `toISOString` in that form. */
export const plainDay = (day: string): string => day.replace(/^\+0*/, '');

/** Start of a day, epoch ms; NaN for what is no day. */
export const startOfDay = (day: string): number => {
  const [year = '', month, date] = day.split('-');
  return Date.parse(`${year.length > 4 ? `+${year.padStart(6, '0')}` : year}-${month}-${date}T00:00:00Z`);
};
