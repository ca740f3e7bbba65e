// Passwords of the cluster's users: from the environment, or from a folder with one file per user.
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { UserError } from '../lib/errors.ts';
import type { Options } from './options.ts';
import { withUser } from './urls.ts';

/** The folder of the password files: each is named as its user and holds the password. */
export const secretsDir = ({ secrets, dataDir }: Pick<Options, 'secrets' | 'dataDir'>): string =>
  resolve(secrets ?? join(dataDir, 'cluster', 'secrets'));

export const secretVariable = (user: string): string =>
  `INSTASHOP_SECRET_${user.replaceAll('-', '_').toUpperCase()}`;

/** The user's password. Rejects with a UserError that names both places where none of them has it. */
export function secretOf(options: Pick<Options, 'secrets' | 'dataDir'>, user: string): string {
  const given = process.env[secretVariable(user)];
  if (given) return given;
  const file = join(secretsDir(options), user);
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new UserError(
      code === 'ENOENT' ? `the password of ${user} is not known` : `the password of ${user}: ${message}`,
      `Set ${secretVariable(user)}, or put it into ${file}; \`instashop cluster up\` makes all of them.`,
    );
  }
}

/** The connection string with the user's name and password; one that names a user already stays as it is. */
export function urlOf(options: Pick<Options, 'secrets' | 'dataDir'>, url: string, user: string): string {
  return new URL(url).username === '' ? withUser(url, user, secretOf(options, user)) : url;
}
