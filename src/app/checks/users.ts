import { faultFindings } from '../../lib/finding.ts';
import { checkUsers } from '../../stages/dashboard/server/access/access.ts';
import { readUsers } from '../../stages/dashboard/server/access/users.ts';
import { isLoopback } from '../../stages/dashboard/server/operator-guard.ts';
import { trustedProxies, usersFile } from '../users-file.ts';
import type { Check } from './checks.ts';

/** Whether somebody can sign in where one must, and whether the password is safe on its way. */
export const usersCheck: Check = async ({ options, stages }) => {
  if (!stages.includes('dashboard')) return [];
  const listensAt = options.dashboardHost;
  const proxies = trustedProxies(options);
  const faults = faultFindings(() => {
    const users = readUsers(usersFile(options));
    checkUsers({ users: { current: () => users }, listensAt, trustedProxies: proxies });
  });
  if (faults.length > 0) return faults;
  if (isLoopback(listensAt) || proxies.length > 0) return [];
  return [
    {
      severity: 'warning',
      what: 'passwords and figures cross the network unencrypted: the page speaks http',
      remedy: 'Put a proxy with TLS before it and name it in --trusted-proxies: docs/16-access.md',
    },
  ];
};
