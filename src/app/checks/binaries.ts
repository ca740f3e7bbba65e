import { findBinaries } from '../../services/postgres/binaries.ts';
import { faultFindings } from '../../services/resources.ts';
import type { Check } from './checks.ts';

/** Whether npm installed a PostgreSQL for this machine, where one is to be started. */
export const binariesCheck: Check = async ({ startsPostgres }) =>
  startsPostgres ? faultFindings(findBinaries) : [];
