// SSE fan-out: 500 viewers, 5 updates a second, next to a bare server that writes as many bytes to as many sockets.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { WINDOW_MS } from '../src/contracts/metrics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { shopWindow } from '../src/stages/dashboard/testing/fake-shop.ts';
import { serve } from '../src/stages/dashboard/testing/serve.ts';
import type { BenchResult } from './result.ts';
import type { ToViewers, ViewersReport } from './sse-viewers.ts';

const VIEWERS = 500;
const PERIOD_MS = 200;
const MEASURE_MS = 4_000;
/** More than the kernel takes for a viewer that does not read. */
const FLOOD_MESSAGES = 40;
const FLOOD_GROUPS = 1_000;

interface Measured extends ViewersReport {
  /** Of one core. */
  readonly cpuShare: number;
}

const precise = (): number => performance.timeOrigin + performance.now();

async function tell(child: ChildProcess, message: ToViewers): Promise<ViewersReport> {
  const answer = once(child, 'message');
  child.send(message);
  const [report] = (await answer) as [ViewersReport];
  return report;
}

/** Updates every PERIOD_MS for MEASURE_MS; CPU is this process's, where the server runs. */
async function measure(child: ChildProcess, update: () => Promise<unknown>): Promise<Measured> {
  const run = async (forMs: number): Promise<void> => {
    const startedAt = performance.now();
    for (let count = 1; count * PERIOD_MS <= forMs; count++) {
      await update();
      await systemClock.sleep(Math.max(0, startedAt + count * PERIOD_MS - performance.now()));
    }
  };
  await run(1_000);
  await tell(child, { kind: 'measure' });
  const before = process.cpuUsage();
  const startedAt = performance.now();
  await run(MEASURE_MS);
  const used = process.cpuUsage(before);
  const passedMs = performance.now() - startedAt;
  await systemClock.sleep(100);
  const report = await tell(child, { kind: 'report' });
  return { ...report, cpuShare: (used.user + used.system) / 1_000 / passedMs };
}

/** The two windows that change at once: the open one and the one before, stamped with the time of writing. */
function update(start: number, count: number) {
  return [
    ...shopWindow(start, start + 29_000),
    ...shopWindow(start + WINDOW_MS, start + WINDOW_MS + 20_000),
  ].map((value) => ({ ...value, events: 1_000_000 + count, newest_committed_at: precise() }));
}

async function measureOurs(child: ChildProcess, stalled: boolean): Promise<Measured> {
  await using served = await serve();
  const port = Number(new URL(served.url).port);
  const start = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - WINDOW_MS;
  if (stalled) {
    await tell(child, { kind: 'connect', port, viewers: 1, stalled: true });
    const wide = shopWindow(start - 40 * WINDOW_MS, start)[0]!;
    for (let round = 1; round <= FLOOD_MESSAGES; round++) {
      const group = (id: number) => ({ ...wide, group: { currency: `C${id}` }, events: round });
      await served.store.write(Array.from({ length: FLOOD_GROUPS }, (_, id) => group(id)));
      await systemClock.sleep(30);
    }
  }
  await served.store.write(update(start, 0));
  await tell(child, { kind: 'connect', port, viewers: VIEWERS, stalled: false });
  let count = 0;
  const measured = await measure(child, () => served.store.write(update(start, ++count)));
  await tell(child, { kind: 'disconnect' });
  return measured;
}

async function measureBare(child: ChildProcess, messageBytes: number): Promise<Measured> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket.setNoDelay(true));
    socket.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await tell(child, { kind: 'connect', port, viewers: VIEWERS, stalled: false });
  const measured = await measure(child, async () => {
    const bytes = Buffer.from(`"newest_committed_at":${precise()},`.padEnd(messageBytes, ' '));
    for (const socket of sockets) socket.write(bytes);
  });
  await tell(child, { kind: 'disconnect' });
  for (const socket of sockets) socket.destroy();
  server.close();
  return measured;
}

const round = (value: number, digits = 2): number => Number(value.toFixed(digits));

function compare(
  name: string,
  unit: string,
  value: number,
  peer: string,
  peerValue: number,
  target: string,
): BenchResult {
  return {
    name,
    unit,
    value: round(value),
    peer,
    peerValue: round(peerValue),
    ratio: round(value / peerValue),
    target,
  };
}

/** About 20 s: ours, ours with a viewer that stopped reading, and the bare server. */
export async function bench(): Promise<BenchResult[]> {
  const child = fork(fileURLToPath(new URL('sse-viewers.ts', import.meta.url)));
  try {
    const ours = await measureOurs(child, false);
    const stalled = await measureOurs(child, true);
    const bare = await measureBare(child, Math.round(ours.bytes / ours.messages));
    const peer = 'bare sockets, as many bytes';
    const without = 'without it';
    const kilobytes = round(ours.bytes / ours.messages / 1_000, 1);
    const of = `SSE ${VIEWERS} viewers x ${1_000 / PERIOD_MS}/s x ${kilobytes} kB`;
    return [
      compare(`${of}: CPU`, '% of a core', ours.cpuShare * 100, peer, bare.cpuShare * 100, 'ratio ≤ 2'),
      compare(`${of}: write → viewer p50`, 'ms', ours.p50Ms, peer, bare.p50Ms, '≤ 30 ms'),
      compare(`${of}: write → viewer p99`, 'ms', ours.p99Ms, peer, bare.p99Ms, '≤ 60 ms'),
      {
        name: `${of}: messages delivered`,
        value: round((ours.messages / ((VIEWERS * MEASURE_MS) / PERIOD_MS)) * 100, 1),
        unit: '%',
        target: '100 %',
      },
      compare(
        'SSE with a stalled viewer: CPU',
        '% of a core',
        stalled.cpuShare * 100,
        without,
        ours.cpuShare * 100,
        'ratio about 1',
      ),
      compare('SSE with a stalled viewer: p99', 'ms', stalled.p99Ms, without, ours.p99Ms, 'ratio about 1'),
    ];
  } finally {
    child.kill();
  }
}

if (import.meta.main) console.table(await bench());
