import { UserError } from '../../lib/errors.ts';
import { findBinaries } from '../../services/postgres/binaries.ts';
import type { Check } from './checks.ts';

/** Whether npm installed a PostgreSQL for this machine, where one is to be started. */
export const binariesCheck: Check = async ({ startsPostgres }) => {
  if (!startsPostgres) return [];
  try {
    findBinaries();
    return [];
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return [{ severity: 'error', what: error.message, remedy: error.remedy }];
  }
};
