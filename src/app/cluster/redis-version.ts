import { askRedis } from '../../services/redis/redis.ts';
import { REDIS_ADMIN_USER } from '../../services/redis/settings.ts';
import type { Options } from '../options.ts';
import { secretOf } from '../secrets.ts';

/** What the server calls itself, null where it does not answer. */
export async function redisVersion(port: number, options: Options): Promise<string | null> {
  try {
    const info = await askRedis(port, secretOf(options, REDIS_ADMIN_USER), 'INFO server');
    return (/^valkey_version:(\S+)/m.exec(info) ?? /^redis_version:(\S+)/m.exec(info))?.[1] ?? null;
  } catch {
    return null;
  }
}
