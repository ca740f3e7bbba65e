import { hash } from 'node:crypto';

/** Namespace of this project's event ids (a random uuid v4, fixed for good). */
const NAMESPACE = Buffer.from('7d3c1f0a5b6e4d0f9a8b2c4e6f801357', 'hex').toString('latin1');

/** uuid v5 (RFC 9562 §5.5) of a name within the project's namespace. */
export function eventId(name: string): string {
  const hex = hash(
    'sha1',
    Buffer.concat([Buffer.from(NAMESPACE, 'latin1'), Buffer.from(name, 'utf8')]),
    'hex',
  );
  const variant = ((Number.parseInt(hex[16]!, 16) & 0x3) | 0x8).toString(16);
  const [low, middle, node] = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(20, 32)];
  return `${low}-${middle}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${node}`;
}
