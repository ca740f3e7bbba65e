// One capture at a time works on a database; the others wait, ready to go on where it stops.
import { CAPTURED_TOPICS, TOPICS, type Topic } from '../../contracts/topics.ts';
import { type TopicPartition, topicPartition } from '../../stores/broker/broker.ts';
import { type ChangeFeed, SHOP_DATABASES, type ShopDatabase } from '../../stores/shop/changes.ts';
import type { StateChangelog } from './state-changelog.ts';

/** The topics whose events come from this database. */
export const topicsOf = (database: ShopDatabase): readonly Topic[] =>
  database === 'instashop' ? CAPTURED_TOPICS.slice(0, 1) : CAPTURED_TOPICS.slice(1);

/** Whose claim it is, and everything that this database's capture writes. */
export function claimOf(
  database: ShopDatabase,
  stateTopic: Topic | null,
): readonly [owner: string, partitions: readonly TopicPartition[]] {
  const all = [...topicsOf(database), TOPICS.deadLetters].flatMap(({ name, partitions }) =>
    Array.from({ length: partitions }, (_, partition) => topicPartition(name, partition)),
  );
  const state = stateTopic && topicPartition(stateTopic.name, SHOP_DATABASES.indexOf(database));
  return [`instashop-capture-${database}`, state ? [...all, state] : all];
}

/**
 * Resolves with true once the feed is ours, with false when the signal aborts; the state is kept up to date till
 * then.
 */
export async function waitForFeed(
  feed: ChangeFeed,
  changelog: StateChangelog | null,
  waiting: () => void,
  signal: AbortSignal,
): Promise<boolean> {
  const over = new AbortController();
  const until = AbortSignal.any([signal, over.signal]);
  let following: Promise<void> = Promise.resolve();
  try {
    await feed.acquire(until, () => {
      waiting();
      following = (changelog?.follow(until) ?? Promise.resolve()).catch((error) => {
        over.abort();
        throw error;
      });
      // Awaited below; until then its fault must not count as unhandled.
      following.catch(() => {});
    });
  } finally {
    over.abort();
    await following;
  }
  return !signal.aborted;
}
