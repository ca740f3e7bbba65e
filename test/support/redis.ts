import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type RedisServer, startRedis } from '../../src/services/redis/redis.ts';
import { REDIS_RULES } from '../../src/services/redis/settings.ts';

export interface TestRedis {
  readonly server: RedisServer;
  readonly dataDir: string;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
}

/** A Redis of its own for a test file, on a free port, with the cluster's users; it ends with the process at the latest. */
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
  return {
    server,
    dataDir,
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
