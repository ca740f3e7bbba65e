import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import type { Binaries } from './binaries.ts';
import type { Identity } from './identity.ts';
import { startError } from './launch.ts';

const MAJOR = '18';

/** What a data folder holds. */
export const layout = (dataDir: string) => ({
  /** PGDATA. */
  data: join(dataDir, 'data'),
  password: join(dataDir, 'password'),
  log: join(dataDir, 'postgres.log'),
});

/**
 * Makes the cluster if there is none, and returns the password of its user `postgres`. The cluster appears under its
 * name only when it is whole, so an interrupted first start leaves nothing that counts. Not synced to disk: what a
 * power cut in the first seconds could damage is an empty shop.
 */
export async function ensureCluster(
  dataDir: string,
  binaries: Binaries,
  identity: Identity,
): Promise<string> {
  const { data, password } = layout(dataDir);
  if (existsSync(data)) return existingPassword(data, password);
  const fresh = `${data}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700 });
  writeFileSync(password, randomBytes(24).toString('hex'), { mode: 0o600 });
  identity.own(dataDir);
  const locale = ['--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--encoding=UTF8'];
  const access = ['--username=postgres', '--auth=scram-sha-256', `--pwfile=${password}`];
  await runInitdb(
    [...identity.prefix, binaries.initdb, '-D', fresh, '--no-sync', ...locale, ...access],
    identity,
  );
  renameSync(fresh, data);
  return readFileSync(password, 'utf8');
}

function existingPassword(data: string, password: string): string {
  const version = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  if (version !== MAJOR) {
    throw new UserError(
      `the data in ${data} was made by PostgreSQL ${version}, this is PostgreSQL ${MAJOR}`,
      'Name another folder with --data-dir, or start over with `instashop reset`.',
    );
  }
  try {
    return readFileSync(password, 'utf8').trim();
  } catch (error) {
    throw new UserError(
      `cannot read PostgreSQL's password in ${password} (${(error as NodeJS.ErrnoException).code})`,
      'Run as the user who made the data folder, or start over with `instashop reset`.',
    );
  }
}

function runInitdb([program, ...args]: readonly string[], { ids }: Identity): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program!, args, { ...ids, stdio: ['ignore', 'ignore', 'pipe'], windowsHide: true });
    let said = '';
    child.stderr.on('data', (chunk) => {
      said = `${said}${chunk}`.slice(-2_000);
    });
    child.once('error', (error) => reject(startError(program!, error)));
    child.once('close', (code) => {
      if (code === 0) return resolve();
      const remedy = 'The data folder needs about 60 MB free and a file system with owners and permissions.';
      reject(new UserError(`initdb could not make the database (exit code ${code}): ${said.trim()}`, remedy));
    });
  });
}
