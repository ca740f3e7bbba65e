import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createClient } from '@redis/client';
import { type TestRedis, testRedis } from '../../../test/support/redis.ts';
import { systemClock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import { silentLog } from '../../lib/log.ts';
import { redisBinary } from './binary.ts';
import { startRedis } from './redis.ts';
import { DASHBOARD_USER, PUBLISHER_USER, REDIS_ADMIN_USER, REDIS_RULES } from './settings.ts';
import { unzipEntry } from './unzip.ts';

describe('Redis', () => {
  let redis: TestRedis;
  const users = Object.fromEntries(Object.keys(REDIS_RULES).map((user) => [user, `secret-of-${user}`]));

  /** What the server answers to a command. */
  const ask = async (url: string, ...command: string[]): Promise<unknown> => {
    const client = createClient({ url, socket: { reconnectStrategy: false } });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.sendCommand(command);
    } finally {
      client.destroy();
    }
  };
  const as = (user: string, ...command: string[]) => ask(redis.server.url(user), ...command);

  before(async () => {
    redis = await testRedis();
  });
  after(() => redis.stop());

  const ALLOWED: readonly (readonly [user: string, ...command: string[]])[] = [
    [PUBLISHER_USER, 'SET', 'metrics:transactions', '{}', 'PX', '3600000'],
    [PUBLISHER_USER, 'HSET', 'instashop:filled', 'server', 'x'],
    [
      PUBLISHER_USER,
      'EVAL',
      "redis.call('TIME') redis.call('XADD', 'instashop:changes', '1-*', 'a', 'b')",
      '0',
    ],
    [PUBLISHER_USER, 'INFO', 'server'],
    [PUBLISHER_USER, 'PEXPIRE', 'instashop:filled', '3600000'],
    [DASHBOARD_USER, 'GET', 'metrics:transactions'],
    [DASHBOARD_USER, 'SCAN', '0', 'MATCH', 'metrics:*'],
    [DASHBOARD_USER, 'HVALS', 'instashop:health'],
    [DASHBOARD_USER, 'XREAD', 'BLOCK', '1', 'STREAMS', 'instashop:changes', '0'],
    [DASHBOARD_USER, 'XREVRANGE', 'instashop:changes', '+', '-', 'COUNT', '1'],
    [DASHBOARD_USER, 'INFO', 'server'],
    [REDIS_ADMIN_USER, 'CONFIG', 'GET', 'maxmemory'],
  ];
  for (const [user, ...command] of ALLOWED) {
    test(`${user} may ${command.join(' ').slice(0, 50)}`, async () => {
      await assert.doesNotReject(as(user, ...command));
    });
  }

  const DENIED: readonly (readonly [user: string, ...command: string[]])[] = [
    [PUBLISHER_USER, 'SET', 'other', '1'],
    [PUBLISHER_USER, 'EVAL', "redis.call('SET', 'other', '1')", '0'],
    [PUBLISHER_USER, 'FLUSHALL'],
    [PUBLISHER_USER, 'KEYS', '*'],
    [PUBLISHER_USER, 'CONFIG', 'SET', 'maxmemory', '1'],
    [PUBLISHER_USER, 'SCRIPT', 'FLUSH'],
    [PUBLISHER_USER, 'SHUTDOWN'],
    [PUBLISHER_USER, 'ACL', 'LIST'],
    [PUBLISHER_USER, 'SUBSCRIBE', 'instashop:x'],
    [DASHBOARD_USER, 'SET', 'metrics:transactions', '1'],
    [DASHBOARD_USER, 'DEL', 'metrics:transactions'],
    [DASHBOARD_USER, 'GET', 'other'],
    [DASHBOARD_USER, 'EVAL', 'return 1', '0'],
    [DASHBOARD_USER, 'FLUSHDB'],
    [DASHBOARD_USER, 'CLIENT', 'LIST'],
  ];
  for (const [user, ...command] of DENIED) {
    test(`${user} may not ${command.join(' ')}`, async () => {
      await assert.rejects(as(user, ...command), /NOPERM|can't (access|run)|No permissions/);
    });
  }

  test('nobody comes in without a user, or with a wrong password', async () => {
    const { port } = redis.server;
    await assert.rejects(ask(`redis://127.0.0.1:${port}`, 'GET', 'metrics:transactions'), /NOAUTH/);
    await assert.rejects(ask(`redis://${PUBLISHER_USER}:wrong@127.0.0.1:${port}`, 'PING'), /WRONGPASS/);
  });

  test('no password stands in its command line or files', () => {
    const { server, dataDir } = redis;
    const texts = [`/proc/${server.pid()}/cmdline`, join(dataDir, 'redis.conf'), join(dataDir, 'users.acl')];
    for (const password of Object.values(users)) {
      for (const file of texts) assert.ok(!readFileSync(file, 'utf8').includes(password), file);
    }
    assert.equal(statSync(join(dataDir, 'users.acl')).mode & 0o777, 0o600);
  });

  test('data survives a stop, and what is a second old a kill -9', async () => {
    await as(PUBLISHER_USER, 'SET', 'metrics:kept', 'stop');
    await redis.server.stop();
    assert.equal(redis.server.pid(), null);
    await redis.server.start();
    assert.equal(await as(DASHBOARD_USER, 'GET', 'metrics:kept'), 'stop');
    await as(PUBLISHER_USER, 'SET', 'metrics:kept', 'kill');
    redis.server.kill('SIGKILL');
    while (redis.server.pid() !== null) await systemClock.sleep(10);
    await redis.server.start();
    assert.equal(await as(DASHBOARD_USER, 'GET', 'metrics:kept'), 'kill');
  });

  test('one that stays is kept by a second start, and told from one with other secrets', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'instashop-redis-'));
    const options = { dataDir, users, tied: false, clock: systemClock, log: silentLog };
    const first = await startRedis({ ...options, port: null });
    try {
      const second = await startRedis({ ...options, port: first.port });
      assert.equal(second.pid(), first.pid());
      const others = { ...users, [REDIS_ADMIN_USER]: 'another-one' };
      await assert.rejects(
        startRedis({ ...options, users: others, port: first.port }),
        (error) => error instanceof UserError && /refuses the password/.test(error.message),
      );
    } finally {
      await first.stop();
      rmSync(dataDir, { recursive: true });
    }
  });

  test('where there is no program for the machine, a person is told', async () => {
    const { PATH } = process.env;
    process.env['PATH'] = '/nowhere';
    try {
      await assert.rejects(redisBinary({ clock: systemClock, platform: 'aix-ppc64' }), UserError);
    } finally {
      process.env['PATH'] = PATH;
    }
  });

  test('a damaged archive is not unpacked', async () => {
    const folder = join(import.meta.dirname, 'testing');
    const archive = readFileSync(join(folder, 'two-files.zip'));
    assert.equal(unzipEntry(archive, (name) => name === 'b.txt').toString(), 'stored\n');
    assert.equal(unzipEntry(archive, (name) => name === 'a.txt').toString(), 'deflated '.repeat(50));
    assert.throws(() => unzipEntry(archive, (name) => name === 'c.txt'), /does not hold/);
    const damaged = Buffer.from(archive);
    damaged[damaged.indexOf('stored\n')] = 0x53;
    assert.throws(() => unzipEntry(damaged, (name) => name === 'b.txt'), /damaged/);
    assert.throws(() => unzipEntry(Buffer.from('x'.repeat(40)), () => true), /no zip/);
  });
});
