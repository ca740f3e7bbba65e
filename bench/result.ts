/** One measured figure, next to a limit or peer measured in the same run where there is one. */
export interface BenchResult {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  readonly peer?: string;
  readonly peerValue?: number;
  /** value / peerValue. */
  readonly ratio?: number;
  /** What it should reach, as text. */
  readonly target?: string;
}

const RULE = /(ratio )?(<=|>=|≤|≥|<|>) ?([\d.,]*\d)( of )?/g;

/**
 * Whether a figure reaches its target: each `<= 10 ms` is about the value, each `ratio <= 2` and `>= 0.5 of …` about
 * the ratio. null where the target says nothing of the kind, or there was no peer to compare with.
 */
export function isMet({ value, ratio, target = '' }: BenchResult): boolean | null {
  const rules = [...target.matchAll(RULE)].flatMap(([, word, sign, limit, of]) => {
    const figure = word || of ? ratio : value;
    if (figure === undefined) return [];
    const bound = Number(limit!.replaceAll(',', ''));
    return sign === '<' || sign === '<=' || sign === '≤' ? figure <= bound : figure >= bound;
  });
  return rules.length > 0 ? rules.every(Boolean) : null;
}
