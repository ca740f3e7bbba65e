/**
 * Decimal text of a numeric(p,2) column as integer hundredths, without floating point on the way.
 * null where it is not a finite number, has more than two decimals that matter, or exceeds 2^53.
 */
export function minorOf(decimal: string): number | null {
  const match = /^(-?)(\d+)(?:\.(\d{1,2})0*)?$/.exec(decimal);
  if (match === null) return null;
  const minor = Number(match[2]) * 100 + Number((match[3] ?? '').padEnd(2, '0'));
  if (!Number.isSafeInteger(minor)) return null;
  return match[1] === '-' && minor !== 0 ? -minor : minor;
}

/** Hundredths as the decimal number that readers of the original expect. */
export const majorOf = (minor: number): number => minor / 100;
