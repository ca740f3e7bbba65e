import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { ensureDatabase, postgresPids, startPostgres, stopPostgres } from './postgres.ts';
import { serverProcesses } from './processes.ts';

const isRoot = process.getuid?.() === 0;

function folder(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'instashop-pg-')));
  chmodSync(path, 0o755);
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function query(url: string, sql: string): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await client.query(sql);
  } finally {
    await client.end();
  }
}

async function until(what: string, met: () => boolean): Promise<void> {
  for (let i = 0; i < 400; i++) {
    if (met()) return;
    await systemClock.sleep(25);
  }
  assert.fail(`not within 10 s: ${what}`);
}

/** A process of its own that starts a server, prints "up", and waits to be killed. */
async function startElsewhere(
  dataDir: string,
  ids: { uid?: number; gid?: number } = {},
): Promise<ChildProcess> {
  const here = (file: string) => JSON.stringify(new URL(file, import.meta.url).href);
  const code = `
    import { startPostgres } from ${here('./postgres.ts')};
    import { silentLog } from ${here('../../lib/log.ts')};
    await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, port: 0, log: silentLog });
    console.log('up');
  `;
  const args = ['--input-type=module', '-e', code];
  const child = spawn(process.execPath, args, {
    ...ids,
    detached: true,
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await new Promise<void>((resolve, reject) => {
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors += chunk;
    });
    child.stdout?.once('data', () => resolve());
    child.once('exit', (exit) => reject(new Error(`ended with ${exit}: ${errors}`)));
  });
  return child;
}

test('starts, makes databases, keeps rows over a restart and a new start', async (t) => {
  const dataDir = folder(t);
  const server = await startPostgres({ dataDir, port: 0, log: silentLog });
  t.after(() => server.stop());
  await ensureDatabase(server.url('postgres'), 'a shop');
  await ensureDatabase(server.url('postgres'), 'a shop');
  await query(server.url('a shop'), "CREATE TABLE kept AS SELECT 'ñ'::text AS word");
  await server.restart();
  const { rows } = await query(
    server.url('a shop'),
    `SELECT word, upper(word) AS upper, current_setting('wal_level') AS wal, current_setting('fsync') AS fsync
       FROM kept`,
  );
  assert.deepEqual(rows, [{ word: 'ñ', upper: 'Ñ', wal: 'logical', fsync: 'on' }]);
  assert.equal(statSync(join(dataDir, 'password')).mode & 0o777, 0o600);
  await assert.rejects(query(server.url('postgres').replace(server.password, 'wrong'), 'SELECT 1'), {
    code: '28P01',
  });
  await server.stop();
  assert.deepEqual(server.pids(), []);

  const again = await startPostgres({ dataDir, port: 0, log: silentLog });
  t.after(() => again.stop());
  assert.equal((await query(again.url('a shop'), 'SELECT * FROM kept')).rowCount, 1);
});

test('a taken port is told with a remedy', async (t) => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  await assert.rejects(startPostgres({ dataDir: folder(t), port, log: silentLog }), {
    name: 'UserError',
    message: new RegExp(`127.0.0.1:${port}`),
  });
});

test('kill -9 of the parent takes the server along', { skip: process.platform === 'win32' }, async (t) => {
  const dataDir = folder(t);
  const parent = await startElsewhere(dataDir);
  const data = join(dataDir, 'data');
  assert.ok(serverProcesses(data).length > 0);
  process.kill(-parent.pid!, 'SIGKILL');
  await until('the server is gone', () => serverProcesses(data).length === 0);
});

test('an orphan whose watchdog is gone too is stopped, and nothing is lost', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const dataDir = folder(t);
  const data = join(dataDir, 'data');
  const parent = await startElsewhere(dataDir);
  const watchdogs = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
        return args.includes('instashop-postgres') && args.includes(data);
      } catch {
        return false;
      }
    });
  for (const pid of [parent.pid!, ...watchdogs.map(Number)]) process.kill(pid, 'SIGKILL');
  await systemClock.sleep(200);
  const orphans = serverProcesses(data);
  assert.ok(orphans.length > 0, 'without its watchdog the server lives on');

  const warnings: string[] = [];
  const log = { ...silentLog, warn: (message: string) => void warnings.push(message) };
  const server = await startPostgres({ dataDir, port: 0, log });
  t.after(() => server.stop());
  assert.equal(warnings.length, 1);
  assert.ok(server.pids().every((pid) => !orphans.includes(pid)));
  await query(server.url('postgres'), 'SELECT 1');
});

test('a stale postmaster.pid that names a living stranger is no hindrance', async (t) => {
  const dataDir = folder(t);
  const first = await startPostgres({ dataDir, port: 0, log: silentLog });
  await first.stop();
  writeFileSync(
    join(dataDir, 'data', 'postmaster.pid'),
    `${process.pid}\n${dataDir}/data\n1\n5432\n\n*\n\nready\n`,
  );
  const server = await startPostgres({ dataDir, port: 0, log: silentLog });
  t.after(() => server.stop());
  await query(server.url('postgres'), 'SELECT 1');
});

test('a server that dies by itself comes back', { skip: process.platform !== 'linux' }, async (t) => {
  const errors: string[] = [];
  const log = { ...silentLog, error: (message: string) => void errors.push(message) };
  const server = await startPostgres({ dataDir: folder(t), port: 0, log });
  t.after(() => server.stop());
  const before = server.pids();
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await until('a new server runs', () => server.pids().some((pid) => !before.includes(pid)));
  await until('it was told', () => errors.length === 1);
  for (let i = 0; ; i++) {
    const answer = await query(server.url('postgres'), 'SELECT 1').catch((error: Error) => error);
    if (!(answer instanceof Error)) break;
    assert.ok(i < 200, `still: ${answer.message}`);
    await systemClock.sleep(25);
  }
});

test('runs for a normal user', {
  skip: isRoot ? false : 'the other tests run as a normal user',
}, async (t) => {
  const dataDir = folder(t);
  chownSync(dataDir, 1000, 1000);
  const parent = await startElsewhere(dataDir, { uid: 1000, gid: 1000 });
  const data = join(dataDir, 'data');
  assert.equal(statSync(data).uid, 1000);
  process.kill(parent.pid!, 'SIGTERM');
  await until('the server is gone', () => serverProcesses(data).length === 0);
});

test('root may keep its data in a folder closed to others', {
  skip: isRoot ? false : 'needs root',
}, async (t) => {
  const closed = folder(t);
  chmodSync(closed, 0o700);
  const dataDir = join(closed, 'inner');
  mkdirSync(dataDir);
  const server = await startPostgres({ dataDir, port: 0, log: silentLog });
  t.after(() => server.stop());
  await query(server.url('postgres'), 'CREATE TABLE t AS SELECT generate_series(1, 1000)');
  await server.restart();
  assert.equal((await query(server.url('postgres'), 'SELECT * FROM t')).rowCount, 1000);
});

test('one that stays outlives its starter, is kept by a second start, and stops when asked', async (t) => {
  const dataDir = folder(t);
  const options = { dataDir, port: 0, tied: false, log: silentLog };
  t.after(() => stopPostgres(dataDir, systemClock));
  const program = `
    const { startPostgres } = await import(${JSON.stringify(join(import.meta.dirname, 'postgres.ts'))});
    const { silentLog } = await import(${JSON.stringify(join(import.meta.dirname, '../../lib/log.ts'))});
    await startPostgres({ ...${JSON.stringify({ ...options, log: null })}, log: silentLog });`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  assert.deepEqual(await once(starter, 'exit'), [0, null]);
  const [pid] = postgresPids(dataDir);
  const server = await startPostgres(options);
  assert.equal(postgresPids(dataDir)[0], pid);
  await ensureDatabase(server.url('postgres'), 'kept');
  await assert.rejects(startPostgres({ ...options, port: server.port + 1 }), /runs already on this folder/);
  assert.ok((await stopPostgres(dataDir, systemClock)) > 0);
  assert.deepEqual(postgresPids(dataDir), []);
});
