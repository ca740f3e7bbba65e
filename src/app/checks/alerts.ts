import { faultFindings } from '../../lib/finding.ts';
import { readAlertRules } from '../../stages/dashboard/server/alert-rules.ts';
import type { Check } from './checks.ts';

/** Whether the rules of the alerts can be read. */
export const alertsCheck: Check = async ({ options: { alerts }, stages }) =>
  alerts === null || !stages.includes('dashboard') ? [] : faultFindings(() => readAlertRules(alerts));
