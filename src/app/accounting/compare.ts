import { dayOfKey, isZero, keyOf, type Sum, type Sums, Totals, ZERO } from './sums.ts';

export interface Difference {
  readonly key: string;
  readonly left: Readonly<Sum>;
  readonly right: Readonly<Sum>;
}

export interface Comparison {
  /** What is compared: `sales`, `items`, … */
  readonly what: string;
  /** Names of the two places. */
  readonly left: string;
  readonly right: string;
  readonly verdict: 'agree' | 'differ' | 'not compared';
  readonly leftTotal: Readonly<Sum>;
  readonly rightTotal: Readonly<Sum>;
  /** The first of them, at most `DIFFERENCES_SHOWN`. */
  readonly differences: readonly Difference[];
  readonly differing: number;
  readonly notes: readonly string[];
}

export const DIFFERENCES_SHOWN = 20;

export interface ComparisonParts {
  readonly what: string;
  readonly left: readonly [place: string, sums: Sums];
  readonly right: readonly [place: string, sums: Sums];
  /** Days that can be compared. */
  readonly scope: (day: string) => boolean;
  /** Every day can: a sale that was dated anew may then stand in another day, and nothing is missing. */
  readonly whole: boolean;
  readonly notes?: readonly string[];
}

/** Compares key by key: rows, money and digest must all be the same. */
export function compare({ what, left, right, scope, whole, notes = [] }: ComparisonParts): Comparison {
  const [one, other] = [within(left[1], scope), within(right[1], scope)];
  const byDay = differ(one, other);
  // What was only dated anew is gone from this list.
  const overall = whole && byDay.length > 0 ? differ(withoutDays(one), withoutDays(other)) : byDay;
  const isMoved = overall.length < byDay.length;
  const differences = isMoved ? overall : byDay;
  return {
    what,
    left: left[0],
    right: right[0],
    verdict: differences.length === 0 ? 'agree' : 'differ',
    leftTotal: total(one),
    rightTotal: total(other),
    differences: differences.slice(0, DIFFERENCES_SHOWN),
    differing: differences.length,
    notes: isMoved ? [...notes, 'some rows were dated anew: compared over all days, not day by day'] : notes,
  };
}

/** A comparison that cannot be made. */
export const notCompared = (what: string, left: string, right: string, why: string): Comparison => ({
  what,
  left,
  right,
  verdict: 'not compared',
  leftTotal: ZERO,
  rightTotal: ZERO,
  differences: [],
  differing: 0,
  notes: [why],
});

const within = (sums: Sums, scope: (day: string) => boolean): Sums =>
  new Map([...sums].filter(([key, sum]) => !isZero(sum) && scope(dayOfKey(key))));

function withoutDays(sums: Sums): Sums {
  const totals = new Totals();
  for (const [key, { rows, minor, digest }] of sums) {
    totals.add(keyOf('all days', key.slice(key.indexOf('|') + 1)), rows, minor, digest);
  }
  return totals.sums;
}

function differ(one: Sums, other: Sums): readonly Difference[] {
  const keys = [...new Set([...one.keys(), ...other.keys()])].sort();
  return keys
    .map((key) => ({ key, left: one.get(key) ?? ZERO, right: other.get(key) ?? ZERO }))
    .filter(
      ({ left, right }) =>
        left.rows !== right.rows || left.minor !== right.minor || left.digest !== right.digest,
    );
}

function total(sums: Sums): Readonly<Sum> {
  const totals = new Totals();
  for (const { rows, minor, digest } of sums.values()) totals.add('', rows, minor, digest);
  return totals.sums.get('') ?? ZERO;
}
