// Who may have something done: an operator, from the page itself.
import type { IncomingHttpHeaders } from 'node:http';
import type { LiveSession } from '../../../contracts/live.ts';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

const hostOf = (authority: string): string =>
  URL.parse(`http://${authority}`)?.hostname.replace(/^\[|\]$/g, '') ?? '';

/** Whether an address is reached from this machine alone. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host) || /^127(\.\d{1,3}){3}$/.test(host);

/**
 * Why a request comes from another site's page, or null. Such a page can send requests here through a browser: which
 * says where they come from (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/, and Origin).
 */
export function otherSite({ origin, host, ...headers }: IncomingHttpHeaders): string | null {
  const site = headers['sec-fetch-site'];
  const isOurs = site === undefined || site === 'same-origin' || site === 'none';
  if (isOurs && (origin === undefined || URL.parse(origin)?.host === host)) return null;
  return 'Another site asked for it.';
}

/**
 * Why a request may change nothing, or null. Where nobody signs in, whoever sits at this machine may: under a name of
 * this machine only, because other names may lead here as well.
 */
export function refusal(who: LiveSession, headers: IncomingHttpHeaders): string | null {
  if (who.role !== 'operator') return 'This is for operators.';
  const host = headers.host ?? '';
  if (who.name === null && !isLoopback(hostOf(host))) {
    return `This is not ${host.slice(0, 100)}: open the page as localhost.`;
  }
  return otherSite(headers);
}
