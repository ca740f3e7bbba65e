// Names and passwords: judged one after the other, and not too often.
import type { Clock } from '../../../../lib/clock.ts';
import type { Log } from '../../../../lib/log.ts';
import { turns } from '../../../../lib/turns.ts';
import { isPassword, PASSWORD_CHARS_MAX } from './password.ts';
import { rateLimit } from './rate-limit.ts';
import type { User, Users } from './users.ts';

/** Ten wrong ones at once from an address, then one every 10 s; */
const ADDRESS = { perSecond: 0.1, burst: 10 };
/** more for a name, so that one address alone keeps nobody out. */
const NAME = { perSecond: 0.2, burst: 20 };
const NAME_CHARS_MAX = 64;
/** So many may wait for their turn: scrypt is slow on purpose. */
const WAITING_MAX = 20;

export interface Credentials {
  readonly name: string;
  readonly password: string;
}

/** `wrong`: the name or the password. `later`: after so many seconds. */
export type SignInFault =
  | { readonly kind: 'wrong' }
  | { readonly kind: 'later'; readonly status: 429 | 503; readonly afterS: number };

export interface SignIns {
  /** The user whose name and password they are. Takes as long for a name that nobody has. */
  judge(given: Credentials, address: string): Promise<User | SignInFault>;
}

export function signIns({ users, clock, log }: { users: Users; clock: Clock; log: Log }): SignIns {
  const byAddress = rateLimit({ ...ADDRESS, clock });
  const byName = rateLimit({ ...NAME, clock });
  const queue = turns();

  const check = async ({ name, password }: Credentials): Promise<User | null> => {
    const all = users.current();
    const known = all.find((user) => user.name === name);
    const judged = known ?? all[0];
    if (judged === undefined || password.length > PASSWORD_CHARS_MAX) return null;
    const isRight = await isPassword(password, judged.password);
    return isRight && known !== undefined ? known : null;
  };

  return {
    async judge(given, address) {
      const name = given.name.slice(0, NAME_CHARS_MAX);
      const afterS = Math.max(byAddress.waitS(address), byName.waitS(name));
      if (afterS > 0) return { kind: 'later', status: 429, afterS };
      if (queue.waiting() >= WAITING_MAX) return { kind: 'later', status: 503, afterS: 5 };
      byAddress.take(address);
      byName.take(name);
      const user = await queue.take(() => check(given));
      if (user === null) {
        // What was typed as a name may be the password.
        log.warn('somebody could not sign in', { address });
        return { kind: 'wrong' };
      }
      byAddress.giveBack(address);
      byName.giveBack(name);
      return user;
    },
  };
}
