import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { askRedis, type RedisServer, startRedis } from '../../src/services/redis/redis.ts';
import { REDIS_ADMIN_USER, REDIS_RULES } from '../../src/services/redis/settings.ts';

export interface TestRedis {
  readonly server: RedisServer;
  readonly port: number;
  /** User → password. */
  readonly passwords: Readonly<Record<string, string>>;
  /** kill -9; resolves when it is gone. `start` brings it back with what was on its disk. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** Keys it holds. */
  size(): Promise<number>;
  /** Removes all keys. */
  flush(): Promise<void>;
  readonly dataDir: string;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/**
 * A Redis of its own for a test file, on a free port, with the cluster's users; it ends with the process at the
 * latest.
 */
export async function testRedis(): Promise<TestRedis> {
  const dataDir = mkdtempSync(join(tmpdir(), 'instashop-redis-'));
  const users = Object.fromEntries(Object.keys(REDIS_RULES).map((user) => [user, `secret-of-${user}`]));
  const server = await startRedis({
    dataDir,
    port: null,
    users,
    tied: true,
    clock: systemClock,
    log: silentLog,
  });
  const ask = (command: string) => askRedis(server.port, users[REDIS_ADMIN_USER]!, command);
  return {
    server,
    port: server.port,
    passwords: users,
    async kill() {
      server.kill('SIGKILL');
      while (server.pid() !== null) await systemClock.sleep(10);
    },
    start: () => server.start(),
    size: async () => Number(/^:(\d+)/m.exec(await ask('DBSIZE'))![1]),
    async flush() {
      await ask('FLUSHALL');
    },
    dataDir,
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
