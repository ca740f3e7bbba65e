// Who looks at the page.
import { computed, signal } from '@preact/signals';
import { API, type LiveSession } from '../../../contracts/live.ts';

const TIMEOUT_MS = 10_000;

/** Until the server says who it is: everybody, where nobody must sign in. */
export const session = signal<LiveSession>({ name: null, role: 'operator', merchant: null });
/** The merchant whose data alone is sent and shown; null: the whole shop. */
export const ownMerchant = computed(() => session.value.merchant);

/** null: nobody who has signed in. Undefined: the server does not say. */
async function ask(): Promise<LiveSession | null | undefined> {
  try {
    const response = await fetch(API.session, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.status === 401) return null;
    return response.ok ? ((await response.json()) as LiveSession) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether the page may be shown; false: somebody must sign in first. */
export async function readSession(): Promise<boolean> {
  const who = await ask();
  if (who) session.value = who;
  return who !== null;
}

/** The server refused something: where that is because somebody else or nobody is signed in, the page begins anew. */
export async function checkSession(): Promise<void> {
  const who = await ask();
  if (who !== undefined && JSON.stringify(who) !== JSON.stringify(session.peek())) location.reload();
}

/** Why nobody was signed in: seconds to wait, or the server's word. */
export type SignInFault = number | 'wrong' | 'failed';

/** Signs in and opens the page at the same address; returns only if that was not to be. */
export async function signIn(name: string, password: string): Promise<SignInFault | null> {
  try {
    const response = await fetch(API.session, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name, password }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 401) return 'wrong';
    const afterS = Number(response.headers.get('retry-after'));
    if (!response.ok) return afterS > 0 ? afterS : 'failed';
  } catch {
    return 'failed';
  }
  location.reload();
  return null;
}

/** Ends the session; the page begins anew, with the sign-in. */
export async function signOut(): Promise<void> {
  await fetch(API.session, { method: 'DELETE' }).catch(() => {});
  location.reload();
}
