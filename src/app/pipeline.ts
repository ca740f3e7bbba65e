import { fileURLToPath } from 'node:url';
import { CAPTURE_STATE_TOPIC } from '../contracts/topics.ts';
import { seededRandom } from '../lib/random.ts';
import type { Stage } from '../lib/stage.ts';
import { capture } from '../stages/capture/capture.ts';
import { usersOf } from '../stages/dashboard/server/access/users.ts';
import { DEFAULT_RULES, readAlertRules } from '../stages/dashboard/server/alert-rules.ts';
import { dashboard } from '../stages/dashboard/server/dashboard.ts';
import { enrichment } from '../stages/enrichment/enrichment.ts';
import { GENERATOR_DEFAULTS, generator } from '../stages/generator/generator.ts';
import { loader } from '../stages/loader/loader.ts';
import { publisher } from '../stages/publisher/publisher.ts';
import { operations } from './operations.ts';
import { environmentOf } from './option.ts';
import { OPTIONS, type Options } from './options.ts';
import type { Platform } from './platform.ts';
import { dashboardPort } from './ports.ts';
import { STAGE_NAMES, type StageName } from './stage-names.ts';
import { trustedProxies, usersFile } from './users-file.ts';
import { VERSION } from './version.ts';

type Made = Promise<Stage & { url?(): string | null }>;

/** The whole system, in flow order. */
export const PIPELINE: Readonly<Record<StageName, (platform: Platform) => Made>> = {
  generator: async (p) =>
    generator({ ...common(p, 'generator'), shop: await p.shop(), ...customers(p.options) }),
  capture: async (p) =>
    capture({
      ...common(p, 'capture'),
      feeds: await p.feeds(),
      names: await p.names(),
      broker: await p.broker('capture'),
      stateTopic: p.options.profile === 'cluster' ? CAPTURE_STATE_TOPIC : null,
    }),
  enrichment: async (p) => enrichment({ ...common(p, 'enrichment'), broker: await p.broker('enrichment') }),
  loader: async (p) =>
    loader({
      ...common(p, 'loader'),
      broker: await p.broker('loader'),
      warehouse: await p.warehouse('loader'),
    }),
  metrics: (p) => p.metrics(),
  publisher: async (p) =>
    publisher({
      ...common(p, 'publisher'),
      broker: await p.broker('publisher'),
      metricsStore: await p.metricsStore('publisher'),
    }),
  dashboard: async (p) =>
    dashboard({
      ...(await page(p)),
      metricsStore: await p.metricsStore('dashboard'),
      warehouse: await p.warehouse('dashboard'),
    }),
};

/** The stages that run when nothing else is asked for. */
export const wantedStages = ({ generator: mode }: Options): readonly StageName[] =>
  STAGE_NAMES.filter((name) => name !== 'generator' || mode === 'on');

const common = (p: Platform, stage: StageName) => ({
  clock: p.clock,
  log: p.log(stage),
  dir: p.dir(stage),
  mainCurrency: p.options.mainCurrency,
  resnapshot: p.options.resnapshot,
});

const customers = ({ seed, rate, curve, clockSpeed, startAt }: Options) => ({
  random: seededRandom(seed),
  options: { ...GENERATOR_DEFAULTS, salesPerSecond: rate, curve: curve === 'on', clockSpeed, startAt },
});

const page = async (p: Platform) => ({
  ...common(p, 'dashboard'),
  port: await dashboardPort(p.options.dashboardHost, p.options.dashboardPort),
  host: p.options.dashboardHost,
  webDir: WEB_DIR,
  version: VERSION,
  profile: p.options.profile,
  expectedStages: wantedStages(p.options),
  operations: operations(environmentOf(OPTIONS, p.options), p.clock),
  reconcileMs: p.options.reconcile * 60_000,
  alertRules: p.options.alerts === null ? DEFAULT_RULES : readAlertRules(p.options.alerts),
  alertWebhook: p.options.alertWebhook,
  embedOrigins: p.options.embedOrigins?.split(',') ?? [],
  users: usersOf(usersFile(p.options), p.clock, p.log('dashboard')),
  trustedProxies: trustedProxies(p.options),
  requestsPerSecond: p.options.requestsPerSecond,
  clientsMax: p.options.viewers,
  perAddressMax: p.options.viewersPerAddress,
  perUserMax: p.options.viewersPerUser,
});

/** The built page. */
export const WEB_DIR = fileURLToPath(new URL('../../dist/web', import.meta.url));
