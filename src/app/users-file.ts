// Where the page's users are kept, and which proxies speak for their browsers.
import { join, resolve } from 'node:path';
import type { Options } from './options.ts';

/** The file of `instashop users`. */
export const usersFile = ({ users, dataDir }: Pick<Options, 'users' | 'dataDir'>): string =>
  resolve(users ?? join(dataDir, 'users.json'));

/** Their addresses. */
export const trustedProxies = ({ trustedProxies: named }: Pick<Options, 'trustedProxies'>): string[] =>
  named?.split(',') ?? [];
