import { once } from 'node:events';
import { createServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { Code, ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { ErrorInfoSchema } from '../generated/error-info_pb.ts';
import { SparkConnectService } from '../generated/spark-connect_pb.ts';

export type FakeHandlers = Partial<ServiceImpl<typeof SparkConnectService>>;

export interface FakeServer {
  readonly url: string;
  /** Closes the connections there are, as a server that dies does. */
  drop(): void;
  close(): Promise<void>;
}

/** A Spark Connect server that answers what it is told to; on a free port. */
export async function fakeServer(handlers: FakeHandlers): Promise<FakeServer> {
  const sessions = new Set<ServerHttp2Session>();
  const server = createServer(
    connectNodeAdapter({ routes: (router) => router.service(SparkConnectService, handlers) }),
  );
  server.on('session', (session) => {
    sessions.add(session);
    session.on('close', () => sessions.delete(session));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const drop = () => {
    for (const session of sessions) session.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    drop,
    async close() {
      drop();
      server.close();
      await once(server, 'close');
    },
  };
}

export const bearer = ({ requestHeader }: HandlerContext): string | null =>
  requestHeader.get('authorization');

/** An error as Spark sends it: text, and its class in the details. */
export const sparkFault = (message: string, errorClass: string, sqlState = 'HY000'): ConnectError =>
  new ConnectError(message, Code.Internal, undefined, [
    {
      desc: ErrorInfoSchema,
      value: {
        reason: 'org.apache.spark.SparkSQLException',
        domain: 'org.apache.spark',
        metadata: { errorClass, sqlState },
      },
    },
  ]);
