// A cluster of its own for a test: three brokers, Redis, two PostgreSQL servers, all with users and least rights, and
// the stages as processes.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { setUpCluster } from '../../src/app/cluster/setup.ts';
import { OPTIONS } from '../../src/app/options.ts';
import { ROLES } from '../../src/app/profiles/cluster.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { freePorts } from '../../src/services/free-ports.ts';
import { ensureDatabase, type PostgresServer, startPostgres } from '../../src/services/postgres/postgres.ts';
import { type TestKafka, testKafka } from './kafka.ts';
import { type TestRedis, testRedis } from './redis.ts';
import { type Page, type Program, pageAt, startProgram } from './system.ts';

export interface TestCluster extends Page {
  readonly kafka: TestKafka;
  readonly redis: TestRedis;
  /** A superuser's. */
  readonly urls: { readonly shop: string; readonly crm: string; readonly dwh: string };
  /** The options that lead a process here, secrets by a folder. */
  readonly environment: Readonly<Record<string, string>>;
  /** Runs `instashop <args>` here; a second process of a stage with a state needs a folder of its own. */
  start(args: readonly string[], environment?: Readonly<Record<string, string>>): Program;
  /** Stops one of the PostgreSQL servers and starts it again on its port. */
  restartPostgres(which: 'shop' | 'dwh'): Promise<void>;
  /** Ends everything, and its data is gone. */
  remove(): Promise<void>;
}

export async function testCluster(): Promise<TestCluster> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'instashop-cluster-')));
  const [kafka, redis] = [await testKafka(), await testRedis()];
  const postgres = { shop: await newPostgres(folder, 'shop'), dwh: await newPostgres(folder, 'dwh') };
  for (const name of ['instashop', 'crm_db']) await ensureDatabase(postgres.shop.url('postgres'), name);
  await ensureDatabase(postgres.dwh.url('postgres'), 'dwh_db');
  const urls = {
    shop: postgres.shop.url('instashop'),
    crm: postgres.shop.url('crm_db'),
    dwh: postgres.dwh.url('dwh_db'),
  };
  const rolePasswords = Object.fromEntries(
    Object.values(ROLES).map((role) => [role, `secret of ${role}/%`]),
  ) as Record<(typeof ROLES)[keyof typeof ROLES], string>;
  await setUpCluster({
    brokers: kafka.brokers,
    admin: kafka.admin,
    databases: urls,
    rolePasswords,
    options: { retention: OPTIONS.retention.default, retentionSize: OPTIONS.retentionSize.default },
    clock: systemClock,
    log: silentLog,
  });
  const page = (await freePorts(1))[0]!;
  const environment = {
    INSTASHOP_PROFILE: 'cluster',
    INSTASHOP_DATA_DIR: join(folder, 'data'),
    INSTASHOP_SECRETS: writeSecrets(folder, {
      ...kafka.passwords,
      ...redis.passwords,
      ...rolePasswords,
    }),
    INSTASHOP_KAFKA_BROKERS: kafka.brokers.join(','),
    INSTASHOP_REDIS_URL: `redis://127.0.0.1:${redis.port}`,
    INSTASHOP_SHOP_URL: withoutUser(urls.shop),
    INSTASHOP_DWH_URL: withoutUser(urls.dwh),
    INSTASHOP_DASHBOARD_PORT: String(page),
  };
  const programs: Program[] = [];
  return {
    kafka,
    redis,
    urls,
    environment,
    start(args, own = {}) {
      const program = startProgram(args, { ...environment, ...own });
      programs.push(program);
      return program;
    },
    ...pageAt(page),
    restartPostgres: (which) => postgres[which].restart(),
    async remove() {
      for (const program of programs) if (program.isRunning()) await program.kill();
      await Promise.all([kafka.stop(), redis.stop(), postgres.shop.stop(), postgres.dwh.stop()]);
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const newPostgres = (folder: string, name: string): Promise<PostgresServer> =>
  startPostgres({ dataDir: join(folder, name), port: 0, log: silentLog });

function withoutUser(url: string): string {
  const named = new URL(url);
  named.username = '';
  named.password = '';
  return named.href;
}

function writeSecrets(folder: string, passwords: Readonly<Record<string, string>>): string {
  const dir = join(folder, 'secrets');
  mkdirSync(dir, { mode: 0o700 });
  for (const [user, password] of Object.entries(passwords)) {
    writeFileSync(join(dir, user), `${password}\n`, { mode: 0o600 });
  }
  return dir;
}

/**
 * `status --verify` until it agrees: shop, log, warehouse and windows, each change once. Fails with the last report.
 * The generator must be stopped.
 */
export async function clusterVerified(cluster: TestCluster, msMax = 180_000): Promise<string> {
  const deadline = Date.now() + msMax;
  for (;;) {
    const command = cluster.start(['status', '--verify']);
    const code = await command.ended;
    if (code === 0) return command.said();
    if (Date.now() > deadline) throw new Error(`status --verify ended with ${code}:\n${command.said()}`);
    await sleep(1_000);
  }
}
