import { UserError } from './errors.ts';

/** What a check before the start found: what is wrong, and what to do about it. */
export interface Finding {
  /** error: it cannot start. warning: it starts, with the limit said. */
  readonly severity: 'error' | 'warning';
  readonly what: string;
  readonly remedy: string;
}

/** Why something cannot be had or used: the UserError that asking for it throws. */
export function faultFindings(ask: () => unknown): Finding[] {
  try {
    ask();
    return [];
  } catch (fault) {
    if (!(fault instanceof UserError)) throw fault;
    return [{ severity: 'error', what: fault.message, remedy: fault.remedy }];
  }
}
