// Sharing partitions out among a group's readers, so that as few as possible change hands.
import { type TopicPartition, topicPartition } from './broker.ts';

export interface MemberClaim {
  readonly id: string;
  /** Of which generation the claim is: older ones than the newest say nothing. */
  readonly generation: number;
  readonly owned: readonly TopicPartition[];
}

/**
 * What each member reads from now on: of every topic an even share, of what it has already as far as that goes. What
 * one has too much of goes to nobody yet: it must be given up before another may begin, so it is shared out next time.
 */
export function assign(
  members: readonly MemberClaim[],
  topics: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly TopicPartition[]> {
  const newest = Math.max(...members.map(({ generation }) => generation));
  const owner = new Map<TopicPartition, string>();
  for (const { id, generation, owned } of members) {
    if (generation === newest) for (const name of owned) if (!owner.has(name)) owner.set(name, id);
  }
  const assigned = new Map(members.map(({ id }) => [id, [] as TopicPartition[]]));
  for (const [topic, count] of topics) {
    const names = Array.from({ length: count }, (_, partition) => topicPartition(topic, partition));
    shareTopic(names, owner, assigned);
  }
  return assigned;
}

function shareTopic(
  names: readonly TopicPartition[],
  owner: ReadonlyMap<TopicPartition, string>,
  assigned: ReadonlyMap<string, TopicPartition[]>,
): void {
  const has = (id: string): readonly TopicPartition[] => names.filter((name) => owner.get(name) === id);
  // Who has most keeps one more where it does not come out even; after that, who has least in all.
  const ids = [...assigned.keys()].sort(
    (a, b) =>
      has(b).length - has(a).length || assigned.get(a)!.length - assigned.get(b)!.length || (a < b ? -1 : 1),
  );
  const free = names.filter((name) => !assigned.has(owner.get(name) ?? ''));
  const [each, more] = [Math.floor(names.length / ids.length), names.length % ids.length];
  for (const [index, id] of ids.entries()) {
    const share = each + (index < more ? 1 : 0);
    const kept = has(id).slice(0, share);
    assigned.get(id)!.push(...kept, ...free.splice(0, share - kept.length));
  }
}
