// Ports to listen on. One that the user did not name may be another one where the usual one is taken.
import { portFault } from '../services/free-ports.ts';

export const POSTGRES_PORT = 5432;
export const DASHBOARD_PORT = 8501;

/** The page's port: the one named, else the usual one, else 0 (any). */
export const dashboardPort = async (host: string, named: number | null): Promise<number> =>
  named ?? ((await portFault(DASHBOARD_PORT, host)) === null ? DASHBOARD_PORT : 0);
