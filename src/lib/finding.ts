/** What a check before the start found: what is wrong, and what to do about it. */
export interface Finding {
  /** error: it cannot start. warning: it starts, with the limit said. */
  readonly severity: 'error' | 'warning';
  readonly what: string;
  readonly remedy: string;
}
