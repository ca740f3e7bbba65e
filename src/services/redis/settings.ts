// The settings and users of the metrics store's server as data: the launcher writes them into files, and
// ops/compose.yaml has the same.
import { hash } from 'node:crypto';

export const PUBLISHER_USER = 'instashop-publisher';
export const DASHBOARD_USER = 'instashop-dashboard';
export const REDIS_ADMIN_USER = 'instashop-admin';

/** The same wherever it runs. */
export const REDIS_SETTINGS: Readonly<Record<string, string>> = {
  // What a crash takes (up to a second of writes) the publisher writes again from the topic `metrics`.
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '',
  // Some 10,000 windows are 20 MB. Full, it refuses writes rather than forget windows.
  maxmemory: '512mb',
  'maxmemory-policy': 'noeviction',
};

const OUR_KEYS = ['metrics:*', 'instashop:*'];
/** Reading, and what a connection needs; INFO names the server's run. What is dangerous, as KEYS, is not in it. */
const READING = '+@read +@connection -@dangerous +info';

/** User → rules (https://valkey.io/topics/acl). Everybody else, the nameless user too, may do nothing. */
export const REDIS_RULES: Readonly<Record<string, string>> = {
  [PUBLISHER_USER]: `${OUR_KEYS.map((key) => `~${key}`).join(' ')} -@all +@write ${READING} +eval +evalsha +time`,
  [DASHBOARD_USER]: `${OUR_KEYS.map((key) => `%R~${key}`).join(' ')} -@all ${READING}`,
  [REDIS_ADMIN_USER]: '~* &* +@all',
};

/** The aclfile. It holds digests of the passwords, which are as long and random as a key. */
export const aclText = (passwords: Readonly<Record<string, string>>): string =>
  [
    'user default off resetpass resetkeys resetchannels -@all',
    ...Object.entries(REDIS_RULES).map(
      ([user, rules]) => `user ${user} on #${hash('sha256', passwords[user]!)} resetchannels ${rules}`,
    ),
    '',
  ].join('\n');

/** As a configuration file. */
export const configText = (settings: Readonly<Record<string, string>>): string =>
  Object.entries(settings)
    .map(([name, value]) => `${name} "${value.replace(/["\\]/g, '\\$&')}"\n`)
    .join('');
