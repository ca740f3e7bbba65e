// Where a request comes from.
import type { IncomingMessage } from 'node:http';
import { isIP, isIPv6 } from 'node:net';

/** Headers of a proxy are believed where the connection comes from one of these addresses. */
export type TrustedProxies = readonly string[];

/** ::ffff:10.0.0.1 is 10.0.0.1. */
const plain = (address: string): string => address.replace(/^::ffff:(?=\d+\.)/i, '');

const isFromProxy = ({ socket }: IncomingMessage, proxies: TrustedProxies): boolean =>
  proxies.includes(plain(socket.remoteAddress ?? ''));

/** The last one: what stands before it was said by whoever asked the proxy. */
const lastOf = (header: string | string[] | undefined): string =>
  [header ?? ''].flat().join(',').split(',').at(-1)!.trim();

/** The first four groups of an IPv6 address: one customer of a provider has them all behind these. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('%')[0]!.split('::');
  const groups = head === '' ? [] : head.split(':');
  const rest = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - groups.length - rest.length);
  return `${[...groups, ...Array<string>(zeros).fill('0'), ...rest].slice(0, 4).join(':')}::/64`;
}

/** Whose limits a request counts for: an IPv4 address, or the network of an IPv6 one. */
export function addressOf(request: IncomingMessage, proxies: TrustedProxies): string {
  const own = plain(request.socket.remoteAddress ?? '');
  const told = isFromProxy(request, proxies) ? plain(lastOf(request.headers['x-forwarded-for'])) : '';
  return networkOf(isIP(told) === 0 ? own : told);
}

/** Whether the browser speaks https, as a trusted proxy says: the server itself does not. */
export const isHttps = (request: IncomingMessage, proxies: TrustedProxies): boolean =>
  isFromProxy(request, proxies) && lastOf(request.headers['x-forwarded-proto']) === 'https';
