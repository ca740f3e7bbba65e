// The whole system in its own processes: from a commit in PostgreSQL to the value at a reader of the page's stream.
// node bench/latency.ts --rate 1000 --seconds 60 --idle 20 [--cluster: three brokers, Redis, two PostgreSQL servers]
// [--spark: the cluster with Apache Spark, too]
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { API, type LiveChange, liveKey } from '../src/contracts/live.ts';
import { systemClock } from '../src/lib/clock.ts';
import { type TestCluster, testCluster } from '../test/support/cluster.ts';
import { testSparkFor } from '../test/support/spark.ts';
import { cpuShares, processesBelow, usageOf } from './process-usage.ts';
import type { BenchResult } from './result.ts';

/** Of the probe's own sales: reserved for testing by ISO 4217, so that nobody else has it. */
const CURRENCY = 'XTS';
const PROBE_EVERY_MS = 200;
const WARM_UP_MS = 8_000;
/** Four more JVMs that compile. */
const SPARK_WARM_UP_MS = 120_000;
const MAIN = fileURLToPath(new URL('../src/app/main.ts', import.meta.url));

interface Options {
  readonly rate: number;
  readonly seconds: number;
  readonly idle: number;
  readonly cluster: boolean;
  readonly spark: boolean;
}

interface Running {
  readonly child: ChildProcess;
  /** The servers, where they are not the child's. */
  readonly cluster: TestCluster | null;
  readonly shopUrl: string;
  readonly pageUrl: string;
}

/** Starts the system on free ports; resolves when it has said where it is. */
async function start(
  dataDir: string,
  flags: readonly string[],
  cluster: TestCluster | null = null,
  environment: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const ports = ['--postgres-port', '0', '--dashboard-port', '0'];
  const args = [MAIN, 'run', '--data-dir', dataDir, ...ports, ...flags];
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...cluster?.environment, ...environment },
  });
  const port = Promise.withResolvers<string>();
  const page = Promise.withResolvers<string>();
  // A cluster's PostgreSQL is not announced, so nobody waits for its port.
  port.promise.catch(() => undefined);
  const said: string[] = [];
  child.once('exit', (code) => {
    const error = new Error(`the system ended with code ${code}:\n${said.slice(-20).join('\n')}`);
    port.reject(error);
    page.reject(error);
  });
  createInterface(child.stdout!).on('line', (line) => {
    said.push(line);
    const at = /^PostgreSQL .*port=(\d+)/.exec(line)?.[1];
    const url = /^Page\s+(\S+)/.exec(line)?.[1];
    if (at) port.resolve(at);
    if (url) page.resolve(url);
  });
  if (cluster !== null) return { child, cluster, shopUrl: cluster.urls.shop, pageUrl: await page.promise };
  const [shopPort, pageUrl] = await Promise.all([port.promise, page.promise]);
  const password = readFileSync(join(dataDir, 'pgpass'), 'utf8').trim().split(':').at(-1)!;
  return {
    child,
    cluster,
    shopUrl: `postgres://postgres:${password}@127.0.0.1:${shopPort}/instashop`,
    pageUrl,
  };
}

async function stop({ child, cluster }: Running): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
  await cluster?.remove();
}

const now = (): number => performance.timeOrigin + performance.now();

/** A reader of the page's stream. */
class Viewer {
  /** From the newest commit that a change counts to its arrival, ms. */
  readonly ages: number[] = [];
  /** From the return of a probe's commit to the arrival of a count that has it, ms. */
  readonly probes: number[] = [];
  readonly #committed: number[] = [];
  readonly #counts = new Map<string, number>();
  #newest = 0;
  #seen = 0;
  messages = 0;
  bytes = 0;

  async read(url: string, signal: AbortSignal): Promise<void> {
    const response = await fetch(url, { signal });
    let text = '';
    for await (const part of response.body!.pipeThrough(new TextDecoderStream())) {
      this.bytes += part.length;
      text += part;
      const parts = text.split('\n\n');
      text = parts.pop()!;
      for (const message of parts) this.#take(message, now());
    }
  }

  #take(message: string, at: number): void {
    const data = /^data: (.*)$/m.exec(message)?.[1];
    if (data === undefined) return;
    const { values = [], newest_committed_at: newest } = JSON.parse(data) as Partial<LiveChange>;
    if (values.length === 0) return;
    this.messages += 1;
    if (newest != null && newest > this.#newest) {
      this.#newest = newest;
      this.ages.push(at - newest);
    }
    for (const value of values) {
      if (value.metric === 'transactions' && Object.values(value.group).includes(CURRENCY)) {
        this.#counts.set(liveKey(value), value.values['placed'] ?? 0);
      }
    }
    const count = [...this.#counts.values()].reduce((sum, placed) => sum + placed, 0);
    while (this.#seen < count) {
      const committed = this.#committed[this.#seen++];
      if (committed !== undefined) this.probes.push(at - committed);
    }
  }

  committed(at: number): void {
    this.#committed.push(at);
  }

  get waiting(): number {
    return this.#committed.length - this.#seen;
  }

  forget(): void {
    this.ages.length = 0;
    this.probes.length = 0;
    this.messages = 0;
    this.bytes = 0;
  }
}

const SELL = `
  WITH sale AS (
    INSERT INTO transaction (buyer_id, customer_id, transaction_date, total_amount, payment_method, status, currency)
    SELECT (SELECT min(buyer_id) FROM buyer), customer_id, now(), price, 'Credit Card', 'completed', '${CURRENCY}'
    FROM product ORDER BY product_id LIMIT 1 RETURNING transaction_id, total_amount)
  INSERT INTO transactiondetail (transaction_id, product_id, quantity, unit_price)
  SELECT transaction_id, (SELECT min(product_id) FROM product), 1, total_amount FROM sale`;

async function probe(url: string, viewer: Viewer, signal: AbortSignal): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: 'bench probe' });
  await client.connect();
  let next = now();
  while (!signal.aborted) {
    await client.query(SELL);
    viewer.committed(now());
    // Not in step with anything of the system.
    next += PROBE_EVERY_MS * (0.5 + Math.random());
    await systemClock.sleep(Math.max(0, next - now()), signal);
  }
  await client.end();
}

const quantile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 10) / 10;
};

const EMBEDDED_TARGETS = ['<= 60 ms', '<= 150 ms'] as const;
const CLUSTER_TARGETS = ['<= 250 ms', '<= 800 ms'] as const;
const SPARK_TARGETS = ['<= 700 ms', '<= 1500 ms'] as const;
type Targets = readonly [p50: string, p99: string];

const spread = (name: string, values: readonly number[], targets: Targets): BenchResult[] =>
  (
    [
      ['p50', 0.5, targets[0]],
      ['p99', 0.99, targets[1]],
      ['max', 1 - Number.EPSILON, undefined],
    ] as const
  ).map(([label, share, target]) => ({
    name: `${name}, ${label} of ${values.length}`,
    value: quantile(values, share),
    unit: 'ms',
    ...(target ? { target } : {}),
  }));

async function underLoad(options: Options, folder: string): Promise<BenchResult[]> {
  const { rate, seconds, cluster, spark } = options;
  const servers = cluster || spark ? await testCluster() : null;
  const engine = spark ? await testSparkFor(servers!) : null;
  const running = await start(folder, ['--rate', String(rate)], servers, engine?.environment);
  const targets = spark ? SPARK_TARGETS : cluster ? CLUSTER_TARGETS : EMBEDDED_TARGETS;
  const ending = new AbortController();
  const viewer = new Viewer();
  const reading = viewer.read(new URL(API.stream, running.pageUrl).href, ending.signal).catch(() => {});
  const probing = new AbortController();
  try {
    await systemClock.sleep(spark ? SPARK_WARM_UP_MS : WARM_UP_MS);
    const probes = probe(running.shopUrl, viewer, probing.signal);
    await systemClock.sleep(2_000);
    viewer.forget();
    const shares = await cpuShares(running.child.pid!, seconds * 1_000);
    probing.abort();
    await probes;
    await systemClock.sleep(1_000);
    const processes = processesBelow(running.child.pid!);
    const stages = await health(running.pageUrl);
    return [
      ...spread('commit returned → count at the viewer', viewer.probes, targets),
      { name: 'probes that never came', value: viewer.waiting, unit: 'sales', target: '0' },
      ...spread('newest commit counted → change at the viewer', viewer.ages, targets),
      { name: 'changes a second', value: viewer.messages / seconds, unit: 'messages/s' },
      { name: 'stream', value: Math.round(viewer.bytes / seconds / 1_000), unit: 'kB/s' },
      ...shares.map(({ name, share }) => ({
        name: `CPU: ${name}`,
        value: Math.round(share * 1_000) / 10,
        unit: '% of a core',
      })),
      ...usageOf(processes).map(({ name, rssMb, pssMb }) => ({
        name: `memory: ${name}, RSS ${rssMb}`,
        value: pssMb,
        unit: 'MB PSS',
      })),
      ...stages.map(({ stage, lag, lag_unit }) => ({
        name: `lag: ${stage}`,
        value: lag ?? 0,
        unit: lag_unit,
      })),
    ];
  } finally {
    ending.abort();
    probing.abort();
    await reading;
    await stop(running);
    await engine?.stop();
  }
}

interface Stage {
  readonly stage: string;
  readonly lag: number | null;
  readonly lag_unit: string;
}

async function health(pageUrl: string): Promise<readonly Stage[]> {
  const response = await fetch(new URL(API.health, pageUrl));
  return ((await response.json()) as { stages: Stage[] }).stages;
}

async function atRest({ idle }: Options, folder: string): Promise<BenchResult[]> {
  const running = await start(folder, ['--generator', 'off']);
  const ending = new AbortController();
  const reading = new Viewer().read(new URL(API.stream, running.pageUrl).href, ending.signal).catch(() => {});
  try {
    await systemClock.sleep(WARM_UP_MS);
    const shares = await cpuShares(running.child.pid!, idle * 1_000);
    return shares.map(({ name, share }) => ({
      name: `idle CPU: ${name}`,
      value: Math.round(share * 1_000) / 10,
      unit: '% of a core',
      ...(name === 'all' ? { target: '< 5 %' } : {}),
    }));
  } finally {
    ending.abort();
    await reading;
    await stop(running);
  }
}

export async function bench(options: Options): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  try {
    const loaded = options.seconds > 0 ? await underLoad(options, join(folder, 'loaded')) : [];
    const idle = options.idle > 0 ? await atRest(options, join(folder, 'idle')) : [];
    return [...loaded, ...idle];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const number = (value: string) => ({ type: 'string' as const, default: value });
  const { values } = parseArgs({
    options: {
      rate: number('1000'),
      seconds: number('60'),
      idle: number('20'),
      cluster: { type: 'boolean', default: false },
      spark: { type: 'boolean', default: false },
    },
  });
  console.table(
    await bench({
      rate: Number(values.rate),
      seconds: Number(values.seconds),
      idle: Number(values.idle),
      cluster: values.cluster,
      spark: values.spark,
    }),
  );
}
