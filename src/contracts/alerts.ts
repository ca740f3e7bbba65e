/** What a rule is about; money in units of the main currency. */
export const ALERT_FIGURES = [
  'sales',
  'revenue',
  'failed',
  'failed_percent',
  'refunded',
  'visits',
  'carts_abandoned',
] as const;
export type AlertFigure = (typeof ALERT_FIGURES)[number];

/** A rule that holds, or held. */
export interface LiveAlert {
  readonly rule: string;
  readonly figure: AlertFigure;
  /** The figure is of so many minutes up to `at`. */
  readonly minutes: number;
  /** `expected`: the mean of the same hour on earlier days. */
  readonly kind: 'above' | 'below' | 'expected';
  readonly value: number;
  /** What it went past, or was expected to be. */
  readonly bound: number;
  /** End of the newest window that was looked at, epoch ms. */
  readonly at: number;
  readonly since: number;
  /** null: it still holds. */
  readonly until: number | null;
  /** The category that moved most the same way, against the minutes before; money in units. */
  readonly explained: { readonly category: string; readonly change: number } | null;
}

/** `/api/v1/alerts`. */
export interface LiveAlerts {
  readonly active: readonly LiveAlert[];
  /** Those that ended, newest first. */
  readonly recent: readonly LiveAlert[];
  /** Why rules are not judged now: a figure would be the pipeline's fault, not the shop's. */
  readonly suspended: 'unwell' | 'unknown' | null;
  /** null: none is set. */
  readonly webhook: {
    readonly sent: number;
    readonly failed: number;
    readonly last_error: string | null;
  } | null;
}
