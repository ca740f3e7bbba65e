// Many viewers in a process of their own, so that the server's CPU can be told from theirs.
import { connect, type Socket } from 'node:net';
import { API } from '../src/contracts/live.ts';

/** What the parent says: connect that many (the last ones never read), begin to measure, report, disconnect. */
export type ToViewers =
  | { readonly kind: 'connect'; readonly port: number; readonly viewers: number; readonly stalled: boolean }
  | { readonly kind: 'measure' | 'report' | 'disconnect' };

export interface ViewersReport {
  readonly messages: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const STAMP = '"newest_committed_at":';
let sockets: Socket[] = [];
let delays: number[] = [];
let bytes = 0;

const now = (): number => performance.timeOrigin + performance.now();

function received(part: Buffer): void {
  bytes += part.length;
  // A message is smaller than a socket's read at this rate, so the newest stamp of a read is one message's.
  const at = part.lastIndexOf(STAMP);
  if (at < 0) return;
  const stamp = Number.parseFloat(part.toString('latin1', at + STAMP.length, at + STAMP.length + 24));
  if (stamp > 0) delays.push(now() - stamp);
}

async function open(port: number, stalled: boolean): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(`GET ${API.stream} HTTP/1.1\r\nhost: bench\r\n\r\n`);
  if (stalled) socket.pause();
  else socket.on('data', received);
  return socket;
}

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;

process.on('message', async (message: ToViewers) => {
  if (message.kind === 'connect') {
    for (let viewer = 0; viewer < message.viewers; viewer++)
      sockets.push(await open(message.port, message.stalled));
  } else if (message.kind === 'measure') {
    delays = [];
    bytes = 0;
  } else if (message.kind === 'disconnect') {
    for (const socket of sockets) socket.destroy();
    sockets = [];
  }
  const sorted = delays.toSorted((a, b) => a - b);
  const report: ViewersReport = {
    messages: delays.length,
    bytes,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
  };
  process.send?.(report);
});
