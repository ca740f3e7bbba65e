import { createServer } from 'node:net';
import { UserError } from '../../lib/errors.ts';

/**
 * The port to listen on at 127.0.0.1: the wanted one, or for 0 a free one. For a taken one, a free one with `orAny`,
 * else it rejects with a UserError.
 */
export function claimPort(wanted: number, orAny = false): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error: NodeJS.ErrnoException) => {
      if (orAny && wanted !== 0) return resolve(claimPort(0));
      const reason = error.code === 'EADDRINUSE' ? 'another program listens there' : error.message;
      reject(
        new UserError(
          `PostgreSQL cannot listen on 127.0.0.1:${wanted}: ${reason}`,
          'Stop that program, choose another port with --postgres-port, or let one be found with --postgres-port 0.',
        ),
      );
    });
    probe.listen({ port: wanted, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : wanted));
    });
  });
}
