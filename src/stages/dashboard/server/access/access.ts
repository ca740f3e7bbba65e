// Who may see what: judged for every request before its route is asked.
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { API, type LiveError, type LiveSession } from '../../../../contracts/live.ts';
import type { Clock } from '../../../../lib/clock.ts';
import { UserError } from '../../../../lib/errors.ts';
import type { Log } from '../../../../lib/log.ts';
import { isLoopback, otherSite } from '../operator-guard.ts';
import { addressOf, isHttps, type TrustedProxies } from './address.ts';
import { rateLimit } from './rate-limit.ts';
import { sessions } from './sessions.ts';
import { type Credentials, type SignInFault, signIns } from './sign-in.ts';
import type { User, Users } from './users.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Whom a route is for. Without: users of the whole shop. `own`: also a merchant's, and the route sees to it that
     * they get what is theirs. `open`: whoever asks.
     */
    access?: 'own' | 'open';
  }
}

export interface Viewer extends LiveSession {
  /** Whether they may go on: not after signing out, or when their user was changed. */
  isAllowed(): boolean;
}

export interface AccessOptions {
  readonly users: Users;
  /** The address the page is served at. */
  readonly listensAt: string;
  readonly trustedProxies: TrustedProxies;
  /** Of one address, while one must sign in. */
  readonly requestsPerSecond: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Access {
  /** Who asks; null only in an open route: nobody who has signed in. */
  viewerOf(request: FastifyRequest): Viewer | null;
  /** Whose limits a request counts for; null while nobody must sign in: they all sit at this machine. */
  addressOf(request: FastifyRequest): string | null;
  /** Watches over all routes that the server has and gets, and adds those to sign in and out. */
  guard(server: FastifyInstance): void;
}

const COOKIE = 'instashop_session';
/** A page asks for some files and figures at once when it opens. */
const BURST_S = 5;
const SIGN_IN_BYTES_MAX = 4_096;

const fault = (error: string, message: string): LiveError => ({ error, message });
const later = (reply: FastifyReply, status: 429 | 503, afterS: number, message: string): FastifyReply =>
  reply
    .code(status)
    .header('retry-after', afterS)
    .send(fault('too_many_requests', `${message}; try again in ${afterS} s.`));

/** Refuses a page that others can reach while nobody could sign in. */
export function checkUsers({
  users,
  listensAt,
  trustedProxies,
}: Pick<AccessOptions, 'users' | 'listensAt' | 'trustedProxies'>): void {
  if (users.current().length > 0) return;
  const remedy = 'Make one: `instashop users add <name> --role operator`';
  if (!isLoopback(listensAt)) {
    throw new UserError(
      `The page would be served to the network at ${listensAt}, and there is no user who could sign in.`,
      `${remedy}, or keep it to this machine: --dashboard-host 127.0.0.1`,
    );
  }
  if (trustedProxies.length > 0) {
    throw new UserError('The page is behind a proxy, and there is no user who could sign in.', remedy);
  }
}

const OPEN: LiveSession = { name: null, role: 'operator', merchant: null };

const sessionId = ({ headers }: FastifyRequest): string =>
  (headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${COOKIE}=`))
    ?.slice(COOKIE.length + 1) ?? '';

/** Name and password as machines send them (RFC 7617): for what cannot keep a cookie. */
function basicOf({ headers }: FastifyRequest): Credentials | null {
  const [, encoded] = /^Basic ([\w+/=]{1,2000})$/i.exec(headers.authorization ?? '') ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) };
}

function credentialsOf(body: unknown): Credentials | null {
  const { name, password } = (body ?? {}) as Partial<Record<keyof Credentials, unknown>>;
  return typeof name === 'string' && typeof password === 'string' ? { name: name.trim(), password } : null;
}

/** One must sign in where others can reach the page, and wherever a user was ever named. */
export function access(options: AccessOptions): Access {
  const { users, listensAt, trustedProxies, requestsPerSecond, clock, log } = options;
  const held = sessions(users, clock);
  const signing = signIns({ users, clock, log });
  const requests = rateLimit({ perSecond: requestsPerSecond, burst: requestsPerSecond * BURST_S, clock });
  const viewers = new WeakMap<FastifyRequest, Viewer>();
  let isClosed = !isLoopback(listensAt) || trustedProxies.length > 0;
  const mustSignIn = (): boolean => {
    isClosed ||= users.current().length > 0;
    return isClosed;
  };
  const address = (request: FastifyRequest): string => addressOf(request.raw, trustedProxies);

  const viewer = ({ name, role, merchant }: User, isAllowed: () => boolean): Viewer => ({
    ...{ name, role, merchant, isAllowed },
  });

  const identify = async (request: FastifyRequest): Promise<Viewer | SignInFault | null> => {
    if (!mustSignIn()) return { ...OPEN, isAllowed: () => !mustSignIn() };
    const id = sessionId(request);
    const user = held.userOf(id, true);
    if (user !== null) return viewer(user, () => held.userOf(id, false) !== null);
    const given = basicOf(request);
    if (given === null) return null;
    const judged = await signing.judge(given, address(request));
    if ('kind' in judged) return judged;
    const as = JSON.stringify(judged);
    const now = () => users.current().find(({ name }) => name === judged.name);
    return viewer(judged, () => JSON.stringify(now()) === as);
  };

  const admit = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (mustSignIn()) {
      const afterS = requests.waitS(address(request));
      if (afterS > 0) return later(reply, 429, afterS, 'Too many requests come from this address');
      requests.take(address(request));
    }
    const { access: isFor } = request.routeOptions.config;
    const found = await identify(request);
    if (found !== null && 'kind' in found) return refuse(reply, found);
    if (found !== null) viewers.set(request, found);
    if (isFor === 'open') return;
    if (found === null) return reply.code(401).send(fault('sign_in', 'Sign in first.'));
    if (found.merchant !== null && isFor !== 'own') {
      return reply.code(403).send(fault('forbidden', 'This is about the whole shop, which you do not see.'));
    }
    return;
  };

  const cookie = (request: FastifyRequest, id: string): string =>
    `${COOKIE}=${id}; Path=/; HttpOnly; SameSite=Strict` +
    (id === '' ? '; Max-Age=0' : '') +
    (isHttps(request.raw, trustedProxies) ? '; Secure' : '');

  const refuse = (reply: FastifyReply, { ...why }: SignInFault): FastifyReply =>
    why.kind === 'later'
      ? later(reply, why.status, why.afterS, 'Too many tried to sign in')
      : reply.code(401).send(fault('wrong', 'The name or the password is wrong.'));

  const ownPage = {
    config: { access: 'open' as const },
    bodyLimit: SIGN_IN_BYTES_MAX,
    preHandler: async ({ headers }: FastifyRequest, reply: FastifyReply) => {
      const why = otherSite(headers);
      if (why !== null) return reply.code(403).send(fault('forbidden', why));
    },
  };

  return {
    viewerOf: (request) => viewers.get(request) ?? null,
    addressOf: (request) => (mustSignIn() ? address(request) : null),
    guard(server) {
      server.addHook('onRequest', admit);

      server.get(API.session, { config: { access: 'own' } }, async (request, reply) => {
        const { name, role, merchant } = viewers.get(request)!;
        return reply.header('cache-control', 'no-store').send({ name, role, merchant } satisfies LiveSession);
      });

      server.post(API.session, ownPage, async (request, reply) => {
        const given = credentialsOf(request.body);
        if (given === null) return reply.code(400).send(fault('bad_request', 'Give name and password.'));
        const user = await signing.judge(given, address(request));
        if ('kind' in user) return refuse(reply, user);
        held.end(sessionId(request));
        const { name, role, merchant } = user;
        log.info('signed in', { name });
        return reply
          .header('set-cookie', cookie(request, held.begin(user)))
          .header('cache-control', 'no-store')
          .send({ name, role, merchant } satisfies LiveSession);
      });

      server.delete(API.session, ownPage, (request, reply) => {
        held.end(sessionId(request));
        return reply.header('set-cookie', cookie(request, '')).code(204).send();
      });
    },
  };
}
