// Who of a group has which partitions, for the broker in memory: given up when the reader asks for its next batch.
import type { TopicPartition } from '../../src/stores/broker/broker.ts';

interface Member {
  readonly all: readonly TopicPartition[];
  readonly has: Set<TopicPartition>;
}

export class SharedGroups {
  readonly #groups = new Map<string, readonly Member[]>();

  join(group: string, all: readonly TopicPartition[]): Member {
    const member: Member = { all, has: new Set() };
    this.#groups.set(group, [...this.#membersOf(group), member]);
    return member;
  }

  leave(group: string, member: Member): void {
    member.has.clear();
    this.#groups.set(
      group,
      this.#membersOf(group).filter((one) => one !== member),
    );
  }

  /** Takes all from a member, which is not told before it asks for its next batch, and joins again then. */
  expel(group: string, which: number): void {
    this.leave(group, this.#membersOf(group)[which]!);
  }

  has = (member: object, key: TopicPartition): boolean => (member as Member).has.has(key);

  /** What the member gives up and gets now: a partition that another one still has comes later. */
  settle(group: string, member: Member): { gained: TopicPartition[]; lost: TopicPartition[] } {
    if (!this.#membersOf(group).includes(member)) {
      this.#groups.set(group, [...this.#membersOf(group), member]);
      return { gained: [], lost: [...member.all] };
    }
    const members = this.#membersOf(group);
    const wanted = member.all.filter((_, index) => index % members.length === members.indexOf(member));
    const lost = [...member.has].filter((key) => !wanted.includes(key));
    for (const key of lost) member.has.delete(key);
    const gained = wanted.filter((key) => members.every(({ has }) => !has.has(key)));
    for (const key of gained) member.has.add(key);
    return { gained, lost };
  }

  #membersOf(group: string): readonly Member[] {
    return this.#groups.get(group) ?? [];
  }
}
