import { UserError } from '../../lib/errors.ts';
import { readAlertRules } from '../../stages/dashboard/server/alert-rules.ts';
import type { Check } from './checks.ts';

/** Whether the rules of the alerts can be read. */
export const alertsCheck: Check = async ({ options, stages }) => {
  if (options.alerts === null || !stages.includes('dashboard')) return [];
  try {
    readAlertRules(options.alerts);
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [{ severity: 'error', what: error.message, remedy: error.remedy }];
  }
};
