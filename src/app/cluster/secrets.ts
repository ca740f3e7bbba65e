import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADMIN_USER, BROKER_USER } from '../../services/kafka/settings.ts';
import { REDIS_RULES } from '../../services/redis/settings.ts';
import type { Options } from '../options.ts';
import { ROLES } from '../profiles/cluster.ts';
import { CONNECT_TOKEN } from '../profiles/spark-names.ts';
import { secretOf, secretsDir, secretVariable } from '../secrets.ts';
import { RIGHTS } from './acls.ts';

export const KAFKA_USERS: readonly string[] = [ADMIN_USER, BROKER_USER, ...Object.keys(RIGHTS)];
const REDIS_USERS: readonly string[] = Object.keys(REDIS_RULES);

const SECRET_BYTES = 24;

/** User → password, of one kind of server each. */
export interface ClusterSecrets {
  readonly kafka: Readonly<Record<string, string>>;
  readonly redis: Readonly<Record<string, string>>;
  readonly roles: Readonly<Record<(typeof ROLES)[keyof typeof ROLES], string>>;
}

/** PostgreSQL's superuser of servers that somebody else starts; those of `cluster up` have a password of their own. */
export const POSTGRES_USER = 'postgres';

/** Makes a secret for each user that has none; resolves with how many. Files are readable by their owner only. */
export function makeSecrets(options: Options, more: readonly string[] = []): number {
  const dir = secretsDir(options);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const users = new Set([...KAFKA_USERS, ...REDIS_USERS, ...Object.values(ROLES), CONNECT_TOKEN, ...more]);
  let made = 0;
  for (const user of users) {
    const file = join(dir, user);
    if (process.env[secretVariable(user)] || existsSync(file)) continue;
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { mode: 0o600, flag: 'wx' });
    made++;
  }
  return made;
}

/** Rejects with a UserError where one is missing. */
export function clusterSecrets(options: Options): ClusterSecrets {
  const of = (users: readonly string[]) =>
    Object.fromEntries(users.map((user) => [user, secretOf(options, user)]));
  return {
    kafka: of(KAFKA_USERS),
    redis: of(REDIS_USERS),
    roles: of(Object.values(ROLES)) as ClusterSecrets['roles'],
  };
}
