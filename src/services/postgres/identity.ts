import { chownSync, lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { reachableByOthers } from './binaries.ts';

/** `nobody` on every Linux and BSD: PostgreSQL refuses to run as root. */
const NOBODY = 65534;

/** As whom PostgreSQL runs: spawn options and what stands before its command line. */
export interface Identity {
  readonly ids: { readonly uid?: number; readonly gid?: number };
  readonly prefix: readonly string[];
  /** Gives a folder and all in it to that user. */
  own(path: string): void;
}

const SELF: Identity = { ids: {}, prefix: [], own() {} };

/**
 * The caller's own user, or, for root, `nobody`. Where `nobody` cannot pass the folders above `paths` (a clone under
 * /root), it gets the one capability to pass and read folders. Rejects with a UserError where even that is not
 * to be had.
 */
export function serverIdentity(paths: readonly string[]): Identity {
  if (process.getuid?.() !== 0) return SELF;
  const blocked = paths.find((path) => !reachableByOthers(path));
  if (blocked === undefined) return { ids: { uid: NOBODY, gid: NOBODY }, prefix: [], own };
  const capability = passCapability();
  if (capability === null) {
    throw new UserError(
      `PostgreSQL does not run as root, and the user nobody (${NOBODY}) cannot reach ${blocked}`,
      'Run as a normal user, move the project and --data-dir out of folders closed to others, or `chmod o+x` them.',
    );
  }
  const user = [`--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];
  const prefix = ['setpriv', ...user, `--inh-caps=+${capability}`, `--ambient-caps=+${capability}`, '--'];
  return { ids: {}, prefix, own };
}

function own(path: string): void {
  const stat = lstatSync(path);
  if (stat.uid !== NOBODY) chownSync(path, NOBODY, NOBODY);
  if (stat.isDirectory()) for (const name of readdirSync(path)) own(join(path, name));
}

/** The weakest capability this process may hand on that lets a user pass closed folders (capabilities(7)). */
function passCapability(): string | null {
  if (process.platform !== 'linux') return null;
  const bounding = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  const has = (bit: bigint) => (BigInt(`0x${bounding}`) >> bit) & 1n;
  return has(2n) ? 'dac_read_search' : has(1n) ? 'dac_override' : null;
}
