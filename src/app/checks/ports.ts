import type { Finding } from '../../lib/finding.ts';
import { portFault } from '../../services/free-ports.ts';
import type { Check } from './checks.ts';

/** Whether the ports that the user named are free; for the others one is found. */
export const portsCheck: Check = async ({ options, stages, startsPostgres, runs }) => {
  if (runs) return [];
  const wanted = [
    {
      who: 'PostgreSQL',
      flag: '--postgres-port',
      host: '127.0.0.1',
      port: options.postgresPort,
      used: startsPostgres,
    },
    {
      who: 'the page',
      flag: '--dashboard-port',
      host: options.dashboardHost,
      port: options.dashboardPort,
      used: stages.includes('dashboard'),
    },
  ];
  const found = await Promise.all(
    wanted.map(async ({ who, flag, host, port, used }): Promise<Finding[]> => {
      if (!used || port === null || port === 0) return [];
      const fault = await portFault(port, host);
      if (fault === null) return [];
      const what = `${who} cannot listen on ${host}:${port}: ${fault}`;
      return [
        {
          severity: 'error',
          what,
          remedy: `Stop what listens there, or choose another port: ${flag} 0 finds one`,
        },
      ];
    }),
  );
  return found.flat();
};
