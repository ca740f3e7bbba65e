// People who may sign in, for tests: their passwords cost nothing to judge.
import { API } from '../../../contracts/live.ts';
import { hashPassword } from '../server/access/password.ts';
import type { User, Users } from '../server/access/users.ts';

const CHEAP = { N: 16, r: 1, p: 1 };

export const PASSWORD = 'correct horse';

export const fakeUser = async (
  name: string,
  role: User['role'] = 'viewer',
  merchant: number | null = null,
): Promise<User> => ({ name, role, merchant, password: await hashPassword(PASSWORD, CHEAP) });

/** Olga operates, Vera looks, Luna has merchant 1 and Norte merchant 2. */
export async function fakeUsers(): Promise<Users & { all: readonly User[] }> {
  const users = {
    all: await Promise.all([
      fakeUser('Olga', 'operator'),
      fakeUser('Vera'),
      fakeUser('Luna', 'viewer', 1),
      fakeUser('Norte', 'viewer', 2),
    ]),
    current: (): readonly User[] => users.all,
  };
  return users;
}

/** Signs in; the answer carries the cookie. */
export const signIn = (
  url: string,
  name: string,
  password = PASSWORD,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> =>
  fetch(url + API.session, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name, password }),
  });

/** The header of somebody who has signed in. */
export async function cookieOf(url: string, name: string): Promise<{ readonly cookie: string }> {
  const response = await signIn(url, name);
  const cookie = response.headers.get('set-cookie')?.split(';')[0];
  if (cookie === undefined) throw new Error(`${name} could not sign in: ${response.status}`);
  return { cookie };
}
