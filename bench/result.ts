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
