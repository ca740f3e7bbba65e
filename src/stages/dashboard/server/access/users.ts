// Who may sign in, as a file of secrets: its owner alone can read it, and it holds no password.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../../../lib/clock.ts';
import { UserError } from '../../../../lib/errors.ts';
import type { Log } from '../../../../lib/log.ts';
import { PASSWORD_HASH } from './password.ts';

export const USERS_MAX = 1_000;
export const USER_NAME = /^[\p{L}\p{N}][\p{L}\p{N}._@ -]{0,62}$/u;
export const ROLES = ['viewer', 'operator'] as const;

const user = z
  .strictObject({
    name: z.string().regex(USER_NAME),
    role: z.enum(ROLES),
    /** The customer_id whose data alone the user sees; null: the whole shop. */
    merchant: z.int().min(1).nullable(),
    password: z.string().regex(PASSWORD_HASH),
  })
  .refine(
    ({ role, merchant }) => role === 'viewer' || merchant === null,
    'an operator has the whole shop: a user of one merchant is a viewer',
  );

const file = z.strictObject({
  users: z
    .array(user)
    .max(USERS_MAX)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'two users have one name'),
});

export type User = z.output<typeof user>;

/** The users of a file; none where there is no file. A UserError says what is wrong with it. */
export function readUsers(path: string): readonly User[] {
  let text: string;
  try {
    const { mode } = statSync(path);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new UserError(
        `others can read the users' file ${path}`,
        `Keep it to yourself: chmod 600 ${path}`,
      );
    }
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    if (error instanceof UserError) throw error;
    throw new UserError(`the users' file ${path} cannot be read: ${(error as Error).message}`, REMEDY);
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's message would show a piece of the file.
    throw new UserError(`the users' file ${path} is no JSON`, REMEDY);
  }
  const parsed = file.safeParse(json);
  if (parsed.success) return parsed.data.users;
  const { path: at, message } = parsed.error.issues[0]!;
  throw new UserError(`the users' file ${path} is wrong at ${at.join('.')}: ${message}`, REMEDY);
}

const REMEDY = 'Make it with `instashop users add <name>`: docs/16-access.md.';

/** Writes all of them, whole or not at all. Throws a UserError where a user is not as it must be. */
export function writeUsers(path: string, users: readonly User[]): void {
  const parsed = file.safeParse({ users });
  if (!parsed.success) {
    throw new UserError(parsed.error.issues[0]!.message, 'See `instashop users --help`.');
  }
  mkdirSync(dirname(path), { recursive: true });
  const made = `${path}.new`;
  rmSync(made, { force: true });
  writeFileSync(made, `${JSON.stringify(parsed.data, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  chmodSync(made, 0o600);
  renameSync(made, path);
}

export interface Users {
  /** Everybody who may sign in now. */
  current(): readonly User[];
}

/** Nobody: the page stays with those who sit at the machine. */
export const NOBODY: Users = { current: () => [] };

/** So often a file is looked at, for a user who was added or removed meanwhile. */
const LOOK_MS = 1_000;

/**
 * The users of a file, read anew when it changes. Throws as `readUsers` does when it is read first; a file that goes
 * wrong later changes nothing, and is told.
 */
export function usersOf(path: string, clock: Clock, log: Log): Users {
  const markOf = (): string => {
    try {
      const { mtimeMs, ctimeMs, size, ino } = statSync(path);
      return [mtimeMs, ctimeMs, size, ino].join('/');
    } catch {
      return '';
    }
  };
  let mark = markOf();
  let users = readUsers(path);
  let lookedAt = clock.now();
  return {
    current() {
      if (clock.now() - lookedAt < LOOK_MS) return users;
      lookedAt = clock.now();
      const now = markOf();
      if (now === mark) return users;
      mark = now;
      try {
        users = readUsers(path);
      } catch (error) {
        log.error('the users stay as they were', { error: error as Error });
      }
      return users;
    },
  };
}
