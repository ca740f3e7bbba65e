// What is read from Redis, by the store and by its feed.
import { groupKey, type MetricValue } from '../../contracts/metric-value.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import type { RedisConnection } from './redis-connection.ts';
import { KEYS } from './redis-scripts.ts';

/** Windows asked for in one go: a window may hold thousands of groups. */
const WINDOWS_MAX = 20;
const SCAN_COUNT = 1_000;

/** Without the version before it. */
const parse = <T>(stored: string): T => JSON.parse(stored.slice(stored.indexOf(' ') + 1)) as T;

/** Values of a metric whose window starts in [from, to), some windows at a time, by window then group. */
export async function* readWindows(
  connection: RedisConnection,
  metric: string,
  from: number | '-inf' = '-inf',
  to: number | '+inf' = '+inf',
): AsyncGenerator<readonly MetricValue[]> {
  const index = `${KEYS.windows}${metric}`;
  const starts = await connection.run((client) => client.zRangeByScore(index, from, `(${to}`));
  for (let at = 0; at < starts.length; at += WINDOWS_MAX) {
    const keys = starts.slice(at, at + WINDOWS_MAX).map((start) => `${KEYS.window}${metric}:${start}`);
    const windows = await connection.run((client) => Promise.all(keys.map((key) => client.hVals(key))));
    yield windows.flatMap((stored) => byKey(stored.map(parse<MetricValue>), ({ group }) => groupKey(group)));
  }
}

/** Every health, by its key. */
export async function readHealth(connection: RedisConnection): Promise<readonly StageHealth[]> {
  const stored = await connection.run((client) => client.hVals(KEYS.health));
  return byKey(stored.map(parse<StageHealth>), healthKey);
}

/** Keys that begin so, sorted. */
export async function readKeys(connection: RedisConnection, prefix: string): Promise<readonly string[]> {
  const found = new Set<string>();
  const options = { MATCH: `${prefix}*`, COUNT: SCAN_COUNT };
  let cursor = '0';
  do {
    const page = await connection.run((client) => client.scan(cursor, options));
    for (const key of page.keys) found.add(key);
    cursor = page.cursor;
  } while (cursor !== '0');
  return [...found].sort();
}

/** Below every id. */
export const NO_CHANGE = '0-0';

/** Id of the newest entry of the feed; NO_CHANGE when there is none. */
export async function lastChange(connection: RedisConnection): Promise<string> {
  const found = await connection.run((client) => client.xRevRange(KEYS.changes, '+', '-', { COUNT: 1 }));
  return found?.[0]?.id ?? NO_CHANGE;
}

function byKey<T>(items: readonly T[], keyOf: (item: T) => string): readonly T[] {
  const keyed = items.map((item) => ({ key: keyOf(item), item }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  return keyed.map(({ item }) => item);
}
