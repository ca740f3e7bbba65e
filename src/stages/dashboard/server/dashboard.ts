import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import {
  HEARTBEAT_MS,
  isSimulated,
  type LiveHealth,
  type LiveScope,
  type LiveSnapshot,
} from '../../../contracts/live.ts';
import { METRICS_TTL_MS } from '../../../contracts/metrics.ts';
import type { Clock } from '../../../lib/clock.ts';
import { UserError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import { isRetryable, retry } from '../../../lib/retry.ts';
import { healthOf, type Stage, stageCounts } from '../../../lib/stage.ts';
import type { MetricsStore } from '../../../stores/metrics-store/metrics-store.ts';
import { type AccessOptions, access, checkUsers } from './access/access.ts';
import { NOBODY } from './access/users.ts';
import { type AlertRule, DEFAULT_RULES } from './alert-rules.ts';
import { type Alerts, alerts } from './alerts.ts';
import { type FeedWarehouse, feedReader } from './feed.ts';
import { judge } from './health.ts';
import { type HistoryWarehouse, historyReader, liveHour } from './history.ts';
import { COMMON_METRICS, type LiveModel, liveModel, WIDE_METRICS } from './live-model.ts';
import { DEFAULT_SCOPE } from './live-scope.ts';
import { type PeopleWarehouse, peopleReader } from './people.ts';
import { prometheus } from './prometheus.ts';
import { type Operations, type Reconciler, reconciler } from './reconciliation.ts';
import { registerRoutes } from './routes.ts';
import { type SseHub, sseHub } from './sse-hub.ts';
import { serveStatic } from './static-files.ts';
import { type Webhook, webhook } from './webhook.ts';

/** The store is read again this often, for changes that a subscription lost (a reconnect, say). */
const RELOAD_MS = 30_000;
/** That much of the newest windows is read again. */
const RELOAD_SPAN_MS = 600_000;
/** Metrics of many groups are read in such pieces: a process that does more than this page must not stand still. */
const PIECE_MS = 60_000;
/** Rankings are made anew at most this often. */
const RERANK_MS = 1_000;
const REQUESTS_PER_SECOND = 200;
/** Event time may be ahead of our clock by what capture lets through. */
const AHEAD_MS = 120_000;

export interface DashboardOptions {
  readonly metricsStore: Pick<MetricsStore, 'range' | 'health' | 'subscribe'>;
  readonly warehouse: HistoryWarehouse & PeopleWarehouse & FeedWarehouse;
  readonly clock: Clock;
  readonly log: Log;
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  /** The built page (vite's output). */
  readonly webDir: string;
  readonly mainCurrency: string;
  readonly version: string;
  readonly profile: string;
  /** Stages without which the system is not well. */
  readonly expectedStages?: readonly string[];
  readonly clientsMax?: number;
  /** Streams of one address, and of one user, while one must sign in. */
  readonly perAddressMax?: number;
  readonly perUserMax?: number;
  /** Who may sign in; default: nobody, and nobody must. */
  readonly users?: AccessOptions['users'];
  /** Addresses of proxies whose X-Forwarded-For and -Proto are believed; default: none. */
  readonly trustedProxies?: readonly string[];
  /** Of one address, while one must sign in. */
  readonly requestsPerSecond?: number;
  /** What an operator can have done; without, the page says that it cannot be done from there. */
  readonly operations?: Operations;
  /** How often shop, log, warehouse and windows are compared; 0 (default): when asked for. */
  readonly reconcileMs?: number;
  /** Origins (`https://shop.example`) whose pages may show this one in a frame; default: none. */
  readonly embedOrigins?: readonly string[];
  /** Default: DEFAULT_RULES. */
  readonly alertRules?: readonly AlertRule[];
  /** Where alerts are told, beside the page. */
  readonly alertWebhook?: string | null;
}

interface Others {
  readonly reconciler: Reconciler;
  readonly alerts: Alerts;
}

export interface Dashboard extends Stage {
  /** Address of the page while it is served, null otherwise. */
  url(): string | null;
}

async function listen(server: FastifyInstance, host: string, port: number): Promise<void> {
  try {
    await server.listen({ host, port });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE') {
      throw new UserError(
        `Port ${port} on ${host} is taken, so the page cannot be served.`,
        `Stop what listens there, or choose another port: --dashboard-port ${port + 1}`,
      );
    }
    if (code === 'EACCES') {
      throw new UserError(
        `Port ${port} may not be used by this user.`,
        'Choose one above 1023: --dashboard-port 8501',
      );
    }
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new UserError(
        `${host} is not an address of this machine.`,
        'Choose another: --dashboard-host 127.0.0.1',
      );
    }
    throw error;
  }
}

const urlOf = (host: string, port: number): string => {
  if (host === '127.0.0.1' || host === '0.0.0.0' || host === '::') return `http://localhost:${port}`;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
};

/** Reads the newest `spanMs` of what the page shows: around the newest window, or around now when there is none. */
async function load(
  store: DashboardOptions['metricsStore'],
  model: LiveModel,
  nowMs: number,
  spanMs: number,
  changed: () => void,
): Promise<void> {
  const newest = model.newestWindowStart() ?? nowMs;
  const from = newest - spanMs;
  const to = Math.max(newest, nowMs) + AHEAD_MS;
  const [health, ...values] = await Promise.all([
    store.health(),
    ...COMMON_METRICS.map((metric) => store.range(metric, from, to)),
  ]);
  model.apply({ values: values.flat(), health });
  changed();
  for (let start = to; start > from; start -= PIECE_MS) {
    for (const metric of WIDE_METRICS) {
      model.apply({ values: await store.range(metric, start - PIECE_MS, start), health: [] });
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * The live page and its API. Subscribes to the metrics store once, whatever the number of viewers, and keeps what the
 * page shows in memory. A store that does not answer is asked again while the page stays up; a warehouse that does
 * not answer costs the history only. A taken port rejects `run` with a UserError, as does a page that others can reach
 * while there is nobody who could sign in.
 */
export function dashboard(options: DashboardOptions): Dashboard {
  const { metricsStore, clock, log, expectedStages = [] } = options;
  const { version, profile, mainCurrency } = options;
  const counts = stageCounts();
  const about = { version, profile, main_currency: mainCurrency };
  const accessOptions: AccessOptions = {
    users: options.users ?? NOBODY,
    listensAt: options.host,
    trustedProxies: options.trustedProxies ?? [],
    requestsPerSecond: options.requestsPerSecond ?? REQUESTS_PER_SECOND,
    clock,
    log,
  };
  let address: string | null = null;
  let viewers = (): number => 0;

  const problemsOf = (model: LiveModel) =>
    judge(model.stages(), expectedStages, clock.now(), model.stateSince);

  /** The time in the shop: not ours where its clock is simulated. */
  const shopNowOf = (model: LiveModel): number => {
    const { newest_event_time: event, newest_committed_at: commit } = model.since(model.seq(), DEFAULT_SCOPE);
    return event !== null && commit !== null && isSimulated(event, commit) ? event : clock.now();
  };

  const build = (model: LiveModel, hub: SseHub, others: Others): FastifyInstance => {
    const server = Fastify({ forceCloseConnections: true, logger: false, bodyLimit: 1024 });
    const problems = () => problemsOf(model);
    const snapshot = (scope: LiveScope): LiveSnapshot => ({
      ...about,
      scope,
      server_time: clock.now(),
      ...model.since(0, scope),
    });
    const health = (): LiveHealth => {
      const found = problems();
      const { newest_event_time, newest_committed_at } = model.since(model.seq(), DEFAULT_SCOPE);
      const stages = model.stages();
      const status = stages.length === 0 ? 'starting' : found.length === 0 ? 'ok' : 'unwell';
      const times = { server_time: clock.now(), newest_event_time, newest_committed_at };
      return { status, version, profile, ...times, problems: found, stages };
    };
    registerRoutes(server, {
      snapshot,
      health,
      hub,
      history: historyReader(options.warehouse, clock),
      feed: feedReader(options.warehouse, clock),
      people: peopleReader({ warehouse: options.warehouse, clock, shopNow: () => shopNowOf(model) }),
      ...others,
      embedOrigins: options.embedOrigins ?? [],
      access: access(accessOptions),
      registry: prometheus({
        instances: model.instances,
        problems: () => problems().length,
        newestCommittedAt: model.newestCommittedAt,
        now: clock.now,
        sse: hub.counts,
      }),
      failed: (path, error) => log.warn('a request failed', { path, error }),
    });
    return server;
  };

  /** What goes on beside the stream. */
  const othersOf = (model: LiveModel, hook: Webhook | null): Others => {
    const { operations = null, reconcileMs: everyMs = 0, alertRules: rules = DEFAULT_RULES } = options;
    return {
      reconciler: reconciler({ operations, everyMs, clock, log }),
      alerts: alerts({
        ...{ rules, model, webhook: hook, mainCurrency, log },
        isUnwell: () => problemsOf(model).length > 0,
        shopNow: () => shopNowOf(model),
        hours: async (from, to) => (await options.warehouse.history(from, to)).map(liveHour),
        clock,
      }),
    };
  };

  const heartbeats = async (hub: SseHub, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      await clock.sleep(HEARTBEAT_MS, signal);
      hub.heartbeat();
    }
  };

  const reloads = async (model: LiveModel, hub: SseHub, signal: AbortSignal): Promise<void> => {
    const onRetry = (error: Error) => log.warn('the metrics store does not answer, trying again', { error });
    const read = (spanMs: number) =>
      retry(() => load(metricsStore, model, clock.now(), spanMs, hub.changed), { clock, signal, onRetry });
    await read(METRICS_TTL_MS);
    model.covers((model.newestWindowStart() ?? clock.now()) - METRICS_TTL_MS);
    hub.changed();
    while (!signal.aborted) {
      await clock.sleep(RELOAD_MS, signal);
      await read(RELOAD_SPAN_MS);
    }
  };

  const reranks = async (model: LiveModel, hub: SseHub, signal: AbortSignal): Promise<void> => {
    while (!signal.aborted) {
      if (model.rerank()) hub.changed();
      await clock.sleep(RERANK_MS, signal);
    }
  };

  return {
    name: 'dashboard',
    url: () => address,
    health() {
      counts.figures['sse_clients'] = viewers();
      return healthOf('dashboard', clock, counts);
    },
    async run(signal) {
      const model = liveModel(clock.now);
      checkUsers(accessOptions);
      const { clientsMax, perAddressMax, perUserMax } = options;
      const hub = sseHub({
        ...{ model, clock, about },
        ...(clientsMax !== undefined && { clientsMax }),
        ...(perAddressMax !== undefined && { perAddressMax }),
        ...(perUserMax !== undefined && { perUserMax }),
      });
      viewers = () => hub.counts.clients;
      const hook = options.alertWebhook ? webhook(options.alertWebhook, clock) : null;
      const others = othersOf(model, hook);
      const server = build(model, hub, others);
      await serveStatic(server, options.webDir);
      await listen(server, options.host, options.port);
      const { port } = server.server.address() as AddressInfo;
      address = urlOf(options.host, port);
      log.info('the page is served', { url: address });
      const unsubscribe = metricsStore.subscribe((change) => {
        counts.processed += change.values.length;
        if (!model.apply(change)) return;
        counts.lag = 0;
        counts.newestAt = model.newestCommittedAt();
        hub.changed();
      });
      const ended = new AbortController();
      const until = AbortSignal.any([signal, ended.signal]);
      try {
        await Promise.all([
          heartbeats(hub, until),
          reloads(model, hub, until),
          reranks(model, hub, until),
          others.reconciler.run(until),
          others.alerts.run(until),
          hook?.run(until),
        ]);
      } catch (error) {
        // The signal ends a retry by throwing its last fault: that is a clean stop.
        if (!(signal.aborted && isRetryable(error))) throw error;
      } finally {
        ended.abort();
        address = null;
        unsubscribe();
        hub.close();
        await server.close();
      }
    },
  };
}
