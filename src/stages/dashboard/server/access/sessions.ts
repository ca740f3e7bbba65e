// Who has signed in: in the memory of this process alone, so that a restart signs everybody out.
import { randomBytes } from 'node:crypto';
import type { Clock } from '../../../../lib/clock.ts';
import type { User, Users } from './users.ts';

/** A session that nobody used for so long is over; */
export const IDLE_MS_MAX = 12 * 3_600_000;
/** and a page that asks by itself does not keep one for ever. */
export const SESSION_MS_MAX = 30 * 24 * 3_600_000;
const SESSIONS_MAX = 1_000;
const USER_SESSIONS_MAX = 20;
const ID_BYTES = 32;

interface Session {
  readonly name: string;
  /** The user as they were when it began. */
  readonly user: string;
  readonly since: number;
  readonly usedAt: number;
}

export interface Sessions {
  /** A new session's id, which is a secret. Where there are too many, the one that was away longest ends. */
  begin(user: User): string;
  /** Whose session it is, if it goes on. `isUse`: it was asked for by somebody, so that it is not idle. */
  userOf(id: string, isUse: boolean): User | null;
  end(id: string): void;
  size(): number;
}

/** A session ends also when its user is changed in any way, or is no longer there. */
export function sessions(users: Users, clock: Clock): Sessions {
  /** In the order of their use. */
  const held = new Map<string, Session>();

  const isOver = ({ since, usedAt }: Session): boolean => {
    const now = clock.now();
    return now - usedAt > IDLE_MS_MAX || now - since > SESSION_MS_MAX;
  };

  const bound = (name: string): void => {
    for (const [id, session] of held) if (isOver(session)) held.delete(id);
    const own = [...held].filter(([, session]) => session.name === name).map(([id]) => id);
    for (const id of own.slice(0, Math.max(0, own.length - USER_SESSIONS_MAX + 1))) held.delete(id);
    while (held.size >= SESSIONS_MAX) held.delete(held.keys().next().value!);
  };

  return {
    begin(user) {
      bound(user.name);
      const id = randomBytes(ID_BYTES).toString('base64url');
      const now = clock.now();
      held.set(id, { name: user.name, user: JSON.stringify(user), since: now, usedAt: now });
      return id;
    },
    userOf(id, isUse) {
      const session = held.get(id);
      if (session === undefined) return null;
      const user = users.current().find(({ name }) => name === session.name);
      if (user === undefined || JSON.stringify(user) !== session.user || isOver(session)) {
        held.delete(id);
        return null;
      }
      if (isUse) {
        held.delete(id);
        held.set(id, { ...session, usedAt: clock.now() });
      }
      return user;
    },
    end: (id) => void held.delete(id),
    size: () => held.size,
  };
}
