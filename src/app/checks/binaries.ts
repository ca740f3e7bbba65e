import { faultFindings } from '../../lib/finding.ts';
import { findBinaries } from '../../services/postgres/binaries.ts';
import type { Check } from './checks.ts';

/** Whether npm installed a PostgreSQL for this machine, where one is to be started. */
export const binariesCheck: Check = async ({ startsPostgres }) =>
  startsPostgres ? faultFindings(findBinaries) : [];
