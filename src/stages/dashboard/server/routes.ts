import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Registry } from 'prom-client';
import type { LiveFeed } from '../../../contracts/feed.ts';
import {
  API,
  type LiveError,
  type LiveHealth,
  type LiveScope,
  type LiveSnapshot,
} from '../../../contracts/live.ts';
import type { Access, Viewer } from './access/access.ts';
import { ownHealth, ownHistory, ownQuestion, ownScope } from './access/own-data.ts';
import type { Alerts } from './alerts.ts';
import { type FeedQuestion, feedQuery } from './feed.ts';
import type { History } from './history.ts';
import { scopeOf } from './live-scope.ts';
import { refusal } from './operator-guard.ts';
import { type PeopleReader, peopleQuery } from './people.ts';
import { type Query, unknownName, type WholeHours, wholeHours } from './query.ts';
import type { Reconciler } from './reconciliation.ts';
import type { SseHub, TooMany } from './sse-hub.ts';
import { pageCsp } from './static-files.ts';

export interface Routes {
  readonly snapshot: (scope: LiveScope) => LiveSnapshot;
  readonly health: () => LiveHealth;
  readonly history: History;
  readonly people: PeopleReader;
  readonly feed: (question: FeedQuestion) => Promise<LiveFeed>;
  readonly alerts: Pick<Alerts, 'current'>;
  readonly reconciler: Pick<Reconciler, 'current' | 'request' | 'replay'>;
  readonly hub: Pick<SseHub, 'connect'>;
  readonly registry: Registry;
  /** Origins of the pages that may hold this one in a frame. */
  readonly embedOrigins: readonly string[];
  readonly access: Access;
  /** A request failed for a reason that is not the caller's. */
  readonly failed: (path: string, error: Error) => void;
}

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const fault = (error: string, message: string): LiveError => ({ error, message });

/** The query of /api/v1/history, or what is wrong with it. */
const historyQuery = (query: Readonly<Query>): WholeHours | string =>
  unknownName(query, ['hours', 'until', 'customer_id']) ?? wholeHours(query);

/** Why there is no stream for one more, and when to ask again. */
const TOO_MANY: Readonly<Record<TooMany, { readonly status: 429 | 503; readonly message: string }>> = {
  'in all': { status: 503, message: 'Too many pages are connected; try again soon.' },
  'of this address': { status: 429, message: 'Too many pages are connected from this address: close some.' },
  'of this user': { status: 429, message: 'Too many pages are connected by this user: close some.' },
};
const STREAM_AGAIN_S = 5;

function registerApi(server: FastifyInstance, routes: Routes): void {
  const { access } = routes;
  const own = { config: { access: 'own' as const } };

  server.get<{ Querystring: Query }>(API.snapshot, own, (request, reply) => {
    const scope = scopeOf(request.query);
    if (typeof scope === 'string') return reply.code(400).send(fault('bad_request', scope));
    const seen = ownScope(scope, access.viewerOf(request));
    return reply.header('cache-control', 'no-store').send(routes.snapshot(seen));
  });

  // Open: whoever watches over the machines asks for the status.
  server.get(API.health, { config: { access: 'open' } }, (request, reply) => {
    const health = routes.health();
    return reply
      .header('cache-control', 'no-store')
      .code(health.status === 'ok' ? 200 : 503)
      .send(ownHealth(health, access.viewerOf(request)));
  });

  // HEAD would open a stream that nobody reads.
  server.get<{ Querystring: Query }>(API.stream, { ...own, exposeHeadRoute: false }, (request, reply) => {
    const asked = scopeOf(request.query);
    if (typeof asked === 'string') return reply.code(400).send(fault('bad_request', asked));
    const viewer = access.viewerOf(request)!;
    const id = request.headers['last-event-id'];
    const why = routes.hub.connect(request.raw, reply.raw, {
      scope: ownScope(asked, viewer),
      lastEventId: typeof id === 'string' ? id : undefined,
      owner: { address: access.addressOf(request), user: viewer.name, isAllowed: viewer.isAllowed },
    });
    if (why === null) {
      reply.hijack();
      return reply;
    }
    const { status, message } = TOO_MANY[why];
    return reply.code(status).header('retry-after', STREAM_AGAIN_S).send(fault('too_many_viewers', message));
  });

  server.get('/metrics', async (_request, reply) => {
    const text = await routes.registry.metrics();
    return reply.header('cache-control', 'no-store').type(routes.registry.contentType).send(text);
  });
}

/** What the warehouse answers. */
function registerWarehouse(server: FastifyInstance, { history, people, feed, access, failed }: Routes): void {
  const route = <Q extends { readonly customerId: number | null }>(
    path: string,
    parse: (query: Readonly<Query>) => Q | string,
    ask: (query: Q, who: Viewer | null) => Promise<object>,
  ) =>
    server.get<{ Querystring: Query }>(path, { config: { access: 'own' } }, async (request, reply) => {
      const query = parse(request.query);
      if (typeof query === 'string') return reply.code(400).send(fault('bad_request', query));
      const who = access.viewerOf(request);
      reply.header('cache-control', 'no-store');
      try {
        return await ask(ownQuestion(query, who), who);
      } catch (error) {
        failed(path, error as Error);
        return reply
          .code(503)
          .send(fault('warehouse_unavailable', 'The warehouse does not answer; try again soon.'));
      }
    });
  route(API.history, historyQuery, async (query, who) => ownHistory(await history(query), who));
  route(API.people, peopleQuery, people);
  route(API.feed, feedQuery, feed);
}

/** What is compared, and what an operator can have done. */
function registerOperations(server: FastifyInstance, { access, alerts, reconciler, failed }: Routes): void {
  const guarded = {
    preHandler: async (request: FastifyRequest, reply: FastifyReply) => {
      const why = refusal(access.viewerOf(request)!, request.headers);
      if (why !== null) return reply.code(403).send(fault('forbidden', why));
    },
  };

  server.get(API.alerts, (_request, reply) =>
    reply.header('cache-control', 'no-store').send(alerts.current()),
  );

  server.get(API.reconciliation, (_request, reply) =>
    reply.header('cache-control', 'no-store').send(reconciler.current()),
  );

  server.post(API.reconciliation, guarded, (_request, reply) => {
    const isNew = reconciler.request();
    return reply.code(isNew ? 202 : 200).send(reconciler.current());
  });

  server.post(API.replay, guarded, async (_request, reply) => {
    try {
      return await reconciler.replay();
    } catch (error) {
      failed(API.replay, error as Error);
      return reply.code(503).send(fault('not_replayed', (error as Error).message));
    }
  });
}

/** Registers every route but the page's own files. */
export function registerRoutes(server: FastifyInstance, routes: Routes): void {
  const csp = pageCsp(routes.embedOrigins);
  server.addHook('onRequest', async (_request, reply) => {
    reply.headers({ ...SECURITY_HEADERS, 'content-security-policy': csp });
  });
  server.setNotFoundHandler((request, reply) =>
    reply
      .code(404)
      .send(fault('not_found', `There is nothing at ${request.method} ${request.url.slice(0, 200)}.`)),
  );
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.code(status).send(fault('bad_request', error.message));
    routes.failed(request.url, error);
    return reply.code(status).send(fault('internal', 'The dashboard failed to answer; its log says why.'));
  });
  routes.access.guard(server);
  registerApi(server, routes);
  registerWarehouse(server, routes);
  registerOperations(server, routes);
}
