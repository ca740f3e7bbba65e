// Follows the stream of changes on a connection of its own. Ids of the stream count without gaps within an epoch, so
// whatever is missing (trimmed, flushed, lost by the server) shows, and then the values themselves are read.
import { type MetricValue, metricKey, metricVersion } from '../../contracts/metric-value.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { MetricsChange } from './metrics-store.ts';
import { type RedisClient, RedisConnection } from './redis-connection.ts';
import { lastChange, NO_CHANGE, readHealth, readKeys, readWindows } from './redis-reads.ts';
import { KEYS } from './redis-scripts.ts';
import { ToldVersions } from './told-versions.ts';

/** How long one read waits in the server; a feed that began anew with lower ids is noticed after it. */
const BLOCK_MS = 2_000;
const ENTRIES_MAX = 1_000;
const DELAY_MS_MIN = 100;
const DELAY_MS_MAX = 2_000;

interface Entry {
  readonly id: string;
  readonly message: Readonly<Record<string, string>>;
}

export interface FeedOptions {
  readonly url: string;
  /** Id after which it begins; rejected or null: unknown, it tells whatever is there first. */
  readonly from: Promise<string | null>;
  readonly tell: (change: MetricsChange) => void;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Follows the feed until it is closed; a fault is told to the log and got over. */
export function redisFeed({ url, from, tell, ttlMs, clock, log }: FeedOptions): { close(): void } {
  const connection = new RedisConnection(url, clock);
  const closing = new AbortController();
  const { signal } = closing;
  const told = new ToldVersions(ttlMs);

  const tellNews = (values: readonly MetricValue[], health: readonly StageHealth[]): void => {
    const now = clock.now();
    const change = {
      values: values.filter((value) => told.isNews(metricKey(value), metricVersion(value), now)),
      health: health.filter((said) => told.isNews(`health ${healthKey(said)}`, said.at, now)),
    };
    if (change.values.length + change.health.length > 0 && !signal.aborted) tell(change);
  };

  /** Tells all there is. What comes meanwhile stands in the feed after the position it resolves with. */
  const tellAll = async (): Promise<string> => {
    const position = await lastChange(connection);
    for (const key of await readKeys(connection, KEYS.windows)) {
      for await (const values of readWindows(connection, key.slice(KEYS.windows.length)))
        tellNews(values, []);
    }
    tellNews([], await readHealth(connection));
    return position;
  };

  /** The position after the next entries; null when something is missing before them. */
  const next = async (position: string): Promise<string | null> => {
    const entries = await connection.run((client) => readEntries(client, position), BLOCK_MS);
    if (entries.length === 0) {
      const last = await lastChange(connection);
      return isAfter(position, last) ? null : position;
    }
    if (!follows(position, entries[0]!.id)) return null;
    const json = (kind: string) => entries.flatMap(({ message }) => message[kind] ?? []);
    tellNews(
      json('value').map((text) => JSON.parse(text) as MetricValue),
      json('health').map((text) => JSON.parse(text) as StageHealth),
    );
    return entries.at(-1)!.id;
  };

  const follow = async (): Promise<void> => {
    let position = await from.catch(() => null);
    for (let failures = 0; !signal.aborted; ) {
      try {
        position ??= await tellAll();
        position = await next(position);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        if (failures === 0) log.warn('changes of the metrics store are seen late', { error });
        await clock.sleep(Math.min(DELAY_MS_MIN * 2 ** failures, DELAY_MS_MAX), signal);
        failures += 1;
      }
    }
  };

  void follow();
  return {
    close() {
      closing.abort();
      connection.close();
    },
  };
}

async function readEntries(client: RedisClient, position: string): Promise<readonly Entry[]> {
  const options = { BLOCK: BLOCK_MS, COUNT: ENTRIES_MAX };
  const reply = await client.xRead({ key: KEYS.changes, id: position }, options);
  const [stream] = (reply ?? []) as unknown as readonly { readonly messages: readonly Entry[] }[];
  return stream?.messages ?? [];
}

const numbers = (id: string): readonly [epoch: number, count: number] => {
  const [epoch, count] = id.split('-');
  return [Number(epoch), Number(count)];
};

/** Whether nothing lies between two ids. What comes first in a feed that was not there follows everything. */
function follows(before: string, id: string): boolean {
  const [[epoch, count], [nextEpoch, nextCount]] = [numbers(before), numbers(id)];
  if (before === NO_CHANGE) return nextCount === 0;
  return epoch === nextEpoch && nextCount === count + 1;
}

function isAfter(id: string, other: string): boolean {
  const [[epoch, count], [otherEpoch, otherCount]] = [numbers(id), numbers(other)];
  return epoch > otherEpoch || (epoch === otherEpoch && count > otherCount);
}
