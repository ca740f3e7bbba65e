import type { HandlerContext } from '@connectrpc/connect';
import { systemClock } from '../../../../../lib/clock.ts';
import { type SessionOptions, SparkSession } from '../connect.ts';
import type { ExecutePlanRequest } from '../generated/spark-connect_pb.ts';
import { type FakeHandlers, type FakeServer, fakeServer } from './fake-server.ts';

export const SESSION_ID = '11111111-2222-4333-8444-555555555555';
const SERVER_SESSION_ID = 'server-1';

/** Sessions at fake servers, one at a time. */
export interface FakeSessions {
  /** The server of the session there is. */
  server(): FakeServer;
  /** A session at a server that answers heartbeats and what the handlers answer. The one before is closed. */
  open(handlers: FakeHandlers, options?: Partial<SessionOptions>): Promise<SparkSession>;
  close(): Promise<void>;
}

export function fakeSessions(): FakeSessions {
  let server: FakeServer | undefined;
  let session: SparkSession | undefined;
  const close = async () => {
    await session?.close();
    await server?.close();
    session = undefined;
    server = undefined;
  };
  return {
    server: () => server!,
    close,
    async open(handlers, options = {}) {
      await close();
      server = await fakeServer({ analyzePlan: () => version(), ...handlers });
      session = await SparkSession.connect({
        url: server.url,
        sessionId: SESSION_ID,
        userId: 'metrics',
        clock: systemClock,
        ...options,
      });
      return session;
    },
  };
}

/** What a server that is well answers to a heartbeat. */
export const version = (serverSideSessionId = SERVER_SESSION_ID) => ({
  serverSideSessionId,
  result: { case: 'sparkVersion' as const, value: { version: '4.2.0' } },
});

/** One answer to a command, by the name of its field. */
export const answer = (kind: string, value: object) => ({
  serverSideSessionId: SERVER_SESSION_ID,
  responseType: { case: kind, value } as never,
});

/** A server that gives this answer, or fails like this, to any command. */
export const commands = (
  handle: (request: ExecutePlanRequest, context: HandlerContext) => object,
): FakeHandlers => ({
  async *executePlan(request, context) {
    yield handle(request, context);
  },
});

/** A server that never answers a command; `onGone` is called when the client has given up. */
export const silent = (onGone = (): void => {}): FakeHandlers => ({
  async *executePlan(_, { signal }) {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    onGone();
    yield answer('', {});
  },
});
