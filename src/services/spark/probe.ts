// What master and Connect server say of themselves.
import { connect } from 'node:http2';
import { z } from 'zod';

const ANSWER_MS_MAX = 2_000;

const masterSchema = z.object({
  status: z.string(),
  workers: z.array(z.object({ port: z.number(), state: z.string(), cores: z.number() })),
  activeapps: z.array(z.object({ id: z.string(), state: z.string(), cores: z.number() })),
});

export interface MasterState {
  /** Not so while it asks workers and driver, after a restart, whether they are still there. */
  readonly isAlive: boolean;
  /** Ports of workers that take part. */
  readonly workerPorts: readonly number[];
  /** Cores of these. */
  readonly cores: number;
  /** Cores that a driver has; 0 without one, or when it waits for executors. */
  readonly coresUsed: number;
}

/** null: it does not answer. */
export async function masterState(uiPort: number): Promise<MasterState | null> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    const response = await fetch(`http://127.0.0.1:${uiPort}/json/`, { signal });
    const { status, workers, activeapps } = masterSchema.parse(await response.json());
    const alive = workers.filter(({ state }) => state === 'ALIVE');
    return {
      isAlive: status === 'ALIVE',
      workerPorts: alive.map(({ port }) => port),
      cores: alive.reduce((sum, { cores }) => sum + cores, 0),
      coresUsed: activeapps.reduce((sum, { cores }) => sum + cores, 0),
    };
  } catch {
    return null;
  }
}

/** gRPC's name for a wrong or missing token. */
const UNAUTHENTICATED = '16';
/** A message without fields: not compressed, 0 bytes. */
const EMPTY_MESSAGE = Buffer.alloc(5);

/**
 * Asks the Connect server for something that it refuses whoever asks, after it has looked at the token: so a probe
 * leaves nothing behind there.
 */
export const connectState = (port: number, token: string): Promise<'ready' | 'refused' | 'silent'> =>
  new Promise((resolve) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const end = (state: 'ready' | 'refused' | 'silent') => {
      resolve(state);
      session.destroy();
    };
    const answered = (status: unknown) => {
      if (typeof status === 'string') end(status === UNAUTHENTICATED ? 'refused' : 'ready');
    };
    session.setTimeout(ANSWER_MS_MAX, () => end('silent'));
    session.once('error', () => end('silent')).once('close', () => end('silent'));
    const stream = session.request({
      ':method': 'POST',
      ':path': '/spark.connect.SparkConnectService/ReleaseExecute',
      'content-type': 'application/grpc',
      te: 'trailers',
      authorization: `Bearer ${token}`,
    });
    stream.once('error', () => end('silent'));
    // A refusal comes without a body, so its status is among the headers.
    stream.once('response', (headers) => answered(headers['grpc-status']));
    stream.once('trailers', (trailers) => answered(trailers['grpc-status']));
    stream.resume().end(EMPTY_MESSAGE);
  });
