import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { Clock } from '../lib/clock.ts';

/**
 * Below the ports that systems give to outgoing connections: while a server is being restarted, none of these can take
 * its port (a client that keeps trying to reach it could otherwise connect to itself).
 */
const FIRST = 20_000;
const LAST = 31_999;
const LET_GO_MS_MAX = 5_000;
const LET_GO_LOOK_MS = 20;
const ATTEMPTS_MAX = 1_000;

/** Why nobody can listen there, null where one can. */
export const portFault = (port: number, host = '127.0.0.1'): Promise<string | null> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', ({ code, message }: NodeJS.ErrnoException) =>
      resolve(code === 'EADDRINUSE' ? 'another program listens there' : message),
    );
    probe.listen({ port, host, exclusive: true }, () => probe.close(() => resolve(null)));
  });

/** As portFault, for who starts again what was just killed: a process has its ports for a moment after it is gone. */
export async function lastingPortFault(port: number, clock: Clock): Promise<string | null> {
  const until = clock.now() + LET_GO_MS_MAX;
  for (;;) {
    const fault = await portFault(port);
    if (fault === null || clock.now() >= until) return fault;
    await clock.sleep(LET_GO_LOOK_MS);
  }
}

/** Ports where nobody listens now. Chosen by chance, so that others who look at the same time find other ones. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let attempt = 0; ports.size < count; attempt++) {
    if (attempt === ATTEMPTS_MAX) throw new Error(`no ${count} free ports from ${FIRST} to ${LAST}`);
    const port = randomInt(FIRST, LAST + 1);
    if ((await portFault(port)) === null) ports.add(port);
  }
  return [...ports];
}
