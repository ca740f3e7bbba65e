// Ports to listen on. One that the user did not name may be another one where the usual one is taken.
import { createServer } from 'node:net';

export const POSTGRES_PORT = 5432;
export const DASHBOARD_PORT = 8501;

/** Why nobody can listen there, null where one can. */
export const listenFault = (host: string, port: number): Promise<string | null> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? 'another program listens there' : message),
    );
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(null)));
  });

/** The page's port: the one named, else the usual one, else 0 (any). */
export const dashboardPort = async (host: string, named: number | null): Promise<number> =>
  named ?? ((await listenFault(host, DASHBOARD_PORT)) === null ? DASHBOARD_PORT : 0);
