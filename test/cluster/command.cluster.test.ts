// `instashop cluster`: starts servers that outlive it, keeps what runs, starts what is missing, and loses nothing.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { freePorts } from '../../src/services/free-ports.ts';
import { runToEnd } from '../support/system.ts';

interface Status {
  readonly servers: readonly { readonly name: string; readonly pid: number | null; readonly port: number }[];
  readonly kafka: {
    readonly under_replicated: number;
    readonly brokers: readonly { controller: boolean }[];
  } | null;
}

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'instashop-command-')));
const secrets = join(folder, 'cluster', 'secrets');
let environment: Record<string, string>;
let ports: number[];

before(async () => {
  ports = await freePorts(6);
  const [a, b, c, redis, shop, dwh] = ports;
  environment = {
    INSTASHOP_DATA_DIR: folder,
    INSTASHOP_KAFKA_BROKERS: [a, b, c].map((port) => `127.0.0.1:${port}`).join(','),
    INSTASHOP_REDIS_URL: `redis://127.0.0.1:${redis}`,
    INSTASHOP_SHOP_URL: `postgres://127.0.0.1:${shop}/instashop`,
    INSTASHOP_DWH_URL: `postgres://127.0.0.1:${dwh}/dwh_db`,
  };
});

after(async () => {
  await cluster('down');
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
});

const cluster = (...args: string[]) => runToEnd(['cluster', ...args], environment);

async function status(): Promise<Status> {
  const { said } = await cluster('status', '--json');
  return JSON.parse(said.slice(said.indexOf('{'))) as Status;
}

const pids = async () => (await status()).servers.map(({ pid }) => pid);

async function sql(role: string, text: string): Promise<unknown[]> {
  const url = new URL(environment['INSTASHOP_SHOP_URL']!);
  url.username = role;
  url.password = readFileSync(join(secrets, role), 'utf8').trim();
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('before anything was started, nothing runs and nothing is stopped', async () => {
  assert.deepEqual(await pids(), [null, null, null, null, null, null]);
  assert.equal((await cluster('status')).code, 1);
  const down = await cluster('down');
  assert.equal(down.code, 0);
  assert.match(down.said, /No servers run/);
});

test('a port in use is told with who has it, and nothing is started', async () => {
  const stranger = createServer().listen(ports[3], '127.0.0.1');
  try {
    const { code, said } = await cluster('up');
    assert.equal(code, 1, said);
    assert.match(said, new RegExp(`Redis cannot listen on 127.0.0.1:${ports[3]}`));
    if (process.platform === 'linux') assert.match(said, new RegExp(`process ${process.pid}`));
    assert.match(said, /--redis-url/);
    assert.deepEqual(new Set(await pids()), new Set([null]));
  } finally {
    stranger.close();
  }
});

test('up starts all servers, which outlive it, each with a role', async () => {
  const { code, said } = await cluster('up');
  assert.equal(code, 0, said);
  const { servers, kafka } = await status();
  assert.ok(servers.every(({ pid }) => pid !== null));
  assert.equal(kafka!.brokers.filter(({ controller }) => controller).length, 1);
  assert.equal((await cluster('status')).code, 0);
});

test('passwords are files for their owner alone, and stand in no command line', async () => {
  assert.equal(statSync(secrets).mode & 0o777, 0o700);
  const all = readdirSync(secrets).map((name) => {
    assert.equal(statSync(join(secrets, name)).mode & 0o777, 0o600);
    return readFileSync(join(secrets, name), 'utf8').trim();
  });
  assert.equal(new Set(all).size, all.length);
  if (process.platform !== 'linux') return;
  for (const pid of await pids()) {
    const seen = readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
    for (const secret of all) assert.ok(!seen.includes(secret));
  }
});

test('a second up keeps what runs and starts what is missing', async () => {
  const first = await pids();
  process.kill(first[0]!, 'SIGKILL');
  process.kill(first[3]!, 'SIGKILL');
  const { code, said } = await cluster('up');
  assert.equal(code, 0, said);
  const second = await pids();
  assert.ok(second.every((pid) => pid !== null));
  assert.deepEqual(
    second.map((pid, index) => pid === first[index]),
    [false, true, true, false, true, true],
  );
});

test('data and rights survive down and up', async () => {
  await sql('instashop_owner', 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)');
  const down = await cluster('down');
  assert.match(down.said, /6 servers stopped/);
  assert.deepEqual(new Set(await pids()), new Set([null]));
  const { code, said } = await cluster('up');
  assert.equal(code, 0, said);
  assert.deepEqual(await sql('instashop_cdc', 'SELECT id FROM kept'), [{ id: 7 }]);
  await assert.rejects(sql('instashop_cdc', 'INSERT INTO kept VALUES (8)'), /permission denied/);
});

test('wrong words and servers that are not ours to start are told', async () => {
  assert.match((await cluster('sideways')).said, /cluster has no sideways/);
  assert.match((await cluster()).said, /what to do/);
  environment['INSTASHOP_KAFKA_BROKERS'] = 'kafka.example:9092';
  const { code, said } = await cluster('status');
  environment['INSTASHOP_KAFKA_BROKERS'] = ports
    .slice(0, 3)
    .map((port) => `127.0.0.1:${port}`)
    .join(',');
  assert.equal(code, 1);
  assert.match(said, /--kafka-brokers names a server that this command does not start/);
});
