// `instashop cluster` with Spark: started with the other servers, watched by the pipeline, stopped with them.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePorts } from '../../src/services/free-ports.ts';
import { processesOf } from '../../src/services/processes.ts';
import { sparkMark } from '../../src/services/spark/layout.ts';
import { runToEnd, startProgram, until } from '../support/system.ts';

interface Status {
  readonly servers: readonly {
    readonly name: string;
    readonly kind: string;
    readonly pid: number | null;
    readonly memory_bytes: number | null;
  }[];
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'instashop-spark-command-')));
const mark = sparkMark(join(folder, 'cluster', 'spark'));
let environment: Record<string, string>;

before(async () => {
  const [a, b, c, redis, shop, dwh, page, master, ui, jobs, connect] = await freePorts(11);
  environment = {
    INSTASHOP_DATA_DIR: folder,
    INSTASHOP_KAFKA_BROKERS: [a, b, c].map((port) => `127.0.0.1:${port}`).join(','),
    INSTASHOP_REDIS_URL: `redis://127.0.0.1:${redis}`,
    INSTASHOP_SHOP_URL: `postgres://127.0.0.1:${shop}/instashop`,
    INSTASHOP_DWH_URL: `postgres://127.0.0.1:${dwh}/dwh_db`,
    INSTASHOP_DASHBOARD_PORT: String(page),
    INSTASHOP_METRICS_ENGINE: 'spark',
    INSTASHOP_SPARK_MASTER: String(master),
    INSTASHOP_SPARK_UI: String(ui),
    INSTASHOP_SPARK_JOBS: String(jobs),
    INSTASHOP_SPARK_URL: `http://127.0.0.1:${connect}`,
  };
});

after(async () => {
  await cluster('down');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const cluster = (...args: string[]) => runToEnd(['cluster', ...args], environment);

async function sparkServers(): Promise<Status['servers']> {
  const { said } = await cluster('status', '--json');
  const { servers } = JSON.parse(said.slice(said.indexOf('{'))) as Status;
  return servers.filter(({ kind }) => kind === 'spark');
}

test('Spark is started with the other servers and shown with them', async () => {
  const { code, said } = await cluster('up');
  assert.equal(code, 0, said);
  assert.match(said, /✓ Spark, /);
  const servers = await sparkServers();
  assert.deepEqual(
    servers.map(({ name }) => name),
    ['Spark master', 'Spark worker-1', 'Spark connect'],
  );
  for (const { pid, memory_bytes } of servers) assert.ok(pid !== null && memory_bytes! > 50e6);
});

test('a pipeline starts again what of it dies', async () => {
  const pipeline = startProgram(['run', '--profile', 'cluster'], environment);
  try {
    const lock = join(folder, 'cluster', 'locks', 'spark-watch.pid');
    const programs = [pipeline];
    await until('somebody watches', () => existsSync(lock) || null, { programs, msMax: 60_000 });
    const [, , connect] = await sparkServers();
    process.kill(connect!.pid!, 'SIGKILL');
    await until(
      'another Connect server',
      async () => {
        const [, , now] = await sparkServers();
        return (now!.pid !== null && now!.pid !== connect!.pid) || null;
      },
      { programs, msMax: 60_000 },
    );
    // The watcher must not mistake this for an accident.
    assert.equal((await cluster('down')).code, 0);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    assert.deepEqual(processesOf(mark), []);
  } finally {
    await pipeline.kill();
  }
});
