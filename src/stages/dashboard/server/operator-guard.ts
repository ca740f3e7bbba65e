// Who may have something done. There is no sign-in: whoever sits at this machine may, and nobody else.
import type { IncomingHttpHeaders } from 'node:http';

const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

const hostOf = (authority: string): string =>
  URL.parse(`http://${authority}`)?.hostname.replace(/^\[|\]$/g, '') ?? '';

/** Whether an address is reached from this machine alone. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host) || /^127(\.\d{1,3}){3}$/.test(host);

/**
 * Why a request may change nothing, or null. `listensAt`: the address the page is served at. Pages of other sites can
 * send requests here through a browser on this machine, also under names that lead here: the browser says where they
 * come from (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/), and the name is in Host.
 */
export function refusal(listensAt: string, headers: IncomingHttpHeaders): string | null {
  if (!isLoopback(listensAt)) {
    return 'The page is served to the network, where nobody signs in: use the command line of the server.';
  }
  const host = headers.host ?? '';
  if (!isLoopback(hostOf(host))) return `This is not ${host.slice(0, 100)}: open the page as localhost.`;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return 'Another site asked for it.';
  const { origin } = headers;
  if (origin !== undefined && URL.parse(origin)?.host !== host) return 'Another site asked for it.';
  return null;
}
