// Membership of a group whose readers share the partitions: Kafka's classic group protocol, giving up cooperatively.
import { heartbeatV4, joinGroupV9, leaveGroupV5, syncGroupV5 } from '@platformatic/kafka';
import { isRetryable } from '../../lib/retry.ts';
import type { TopicPartition } from './broker.ts';
import { assign } from './kafka-assignment.ts';
import { isCoordinatorGone, type KafkaClient } from './kafka-client.ts';
import type { Address, Connections } from './kafka-connections.ts';
import { CODE, codeOf, faultOf } from './kafka-faults.ts';
import type { Feed } from './kafka-feed.ts';
import {
  assignmentBytes,
  claimBytes,
  PROTOCOL,
  PROTOCOL_TYPE,
  readAssignment,
  readClaim,
} from './kafka-group-bytes.ts';
import { commitOnce } from './kafka-offsets.ts';
import { Wake } from './wake.ts';

/** The least that brokers allow by default: after so long without a heartbeat a member counts as dead. */
const SESSION_MS = 6_000;
const HEARTBEAT_MS = 1_500;
/** How long the others wait for a member to join again: also for one that died while it joined. */
const REBALANCE_MS = 10_000;
const JOIN_TIMEOUT_MS = REBALANCE_MS + 5_000;
/** So long a batch in hand may take before its partitions are given up all the same. */
const HAND_OVER_MS = 6_000;
/** So long a reader whose signal aborted may take to finish its batch before it leaves the group. */
const LAST_BATCH_MS = 5_000;
const COMMIT_MS = 30_000;
const LEAVE_MS = 1_000;

/** Made anew each time a partition is assigned: whoever holds another one no longer has the partition. */
export type Grant = object;

export class GroupMember {
  readonly #client: KafkaClient;
  readonly #group: string;
  readonly #topics: readonly string[];
  readonly #onChange: () => void;
  #joins: Connections;
  readonly #stopping = new AbortController();
  readonly #synced = new Wake();
  readonly #done: Promise<void>;
  #member = '';
  #generation = -1;
  /** What is to be read. */
  #owned: ReadonlyMap<TopicPartition, Grant> = new Map();
  /** What may still be committed: `owned` and what is just being given up. */
  #granted: ReadonlyMap<TopicPartition, Grant> = new Map();
  #isSeen = true;
  #fault: unknown = null;

  /** Joins at once. `onChange` is called when `owned` has changed or `check` throws. */
  constructor(client: KafkaClient, group: string, topics: readonly string[], onChange: () => void) {
    this.#client = client;
    this.#group = group;
    this.#topics = topics;
    this.#onChange = onChange;
    this.#joins = client.connections(JOIN_TIMEOUT_MS);
    this.#done = this.#run();
  }

  /** Partitions that are this member's to read. */
  get owned(): ReadonlyMap<TopicPartition, Grant> {
    return this.#owned;
  }

  /** Throws what ended the membership. */
  check(): void {
    if (this.#fault !== null) throw this.#fault;
  }

  /** The reader reads `owned` and nothing else from now on; no batch of anything else is in hand. */
  seen(owned: ReadonlyMap<TopicPartition, Grant>): void {
    if (owned !== this.#owned) return;
    this.#isSeen = true;
    this.#synced.all();
  }

  /** Commits for the partitions that are still this member's; passes over the others. */
  async commit(reached: ReadonlyMap<Feed, number>, grants: ReadonlyMap<Feed, Grant>): Promise<void> {
    const { clock } = this.#client.options;
    const until = clock.now() + COMMIT_MS;
    for (;;) {
      const mine = [...reached].filter(([feed]) => this.#granted.get(feed.name) === grants.get(feed));
      if (mine.length === 0) return;
      const offsets = new Map(mine.map(([feed, next]) => [feed.name, next]));
      const as = { generation: this.#generation, member: this.#member };
      try {
        return await commitOnce(this.#client, this.#group, as, offsets);
      } catch (error) {
        // A generation that is over, or a rebalance: the membership is renewed meanwhile.
        if (!isRetryable(error) || clock.now() >= until) throw error;
        await this.#client.pause();
      }
    }
  }

  /** Leaves in some seconds, if not before, so that a batch in hand can still be committed. */
  async leaveSoon(): Promise<void> {
    await this.#client.options.clock.sleep(LAST_BATCH_MS, this.#stopping.signal);
    await this.leave();
  }

  /** Leaves the group, so that the others get the partitions at once. Waits for the coordinator a moment at most. */
  async leave(): Promise<void> {
    this.#stopping.abort();
    this.#joins.close();
    const late = new AbortController();
    await Promise.race([this.#done, this.#client.options.clock.sleep(LEAVE_MS, late.signal)]);
    late.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      while (!signal.aborted) {
        await this.#membership().catch((error: unknown) => this.#recover(error));
      }
    } catch (error) {
      this.#fault = error;
    }
    await this.#signOff().catch(() => {});
    this.#dropAll();
    this.#joins.close();
    this.#onChange();
  }

  /** One generation: join, give up and take over, beat until it is over. */
  async #membership(): Promise<void> {
    const names = await this.#client.atCoordinator(['group', this.#group], (address) => this.#join(address));
    const assigned = new Map(names.map((name) => [name, this.#owned.get(name) ?? {}]));
    const isGivingUp = [...this.#owned.keys()].some((name) => !assigned.has(name));
    this.#granted = new Map([...this.#owned, ...assigned]);
    this.#own(assigned);
    const over = new AbortController();
    const handedOver = isGivingUp ? this.#handedOver(over.signal) : null;
    try {
      await this.#beat(handedOver);
    } finally {
      over.abort();
    }
  }

  #own(owned: ReadonlyMap<TopicPartition, Grant>): void {
    this.#owned = owned;
    this.#isSeen = false;
    this.#onChange();
  }

  async #handedOver(over: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([over, this.#stopping.signal]);
    const late = new AbortController();
    void this.#client.options.clock.sleep(HAND_OVER_MS, signal).then(() => late.abort());
    const both = AbortSignal.any([signal, late.signal]);
    while (!this.#isSeen && !both.aborted) await this.#synced.wait(both);
    if (!over.aborted) this.#granted = this.#owned;
  }

  /** Returns when the group must be joined again: the others wait, or have something to take over. */
  async #beat(handedOver: Promise<void> | null): Promise<void> {
    const { signal } = this.#stopping;
    const rejoin = new AbortController();
    let isHandedOver = handedOver === null;
    void handedOver?.then(() => {
      isHandedOver = true;
      rejoin.abort();
    });
    const wait = AbortSignal.any([signal, rejoin.signal]);
    let isWaitedFor = false;
    while (!signal.aborted) {
      await this.#client.options.clock.sleep(HEARTBEAT_MS, wait);
      if (signal.aborted || rejoin.signal.aborted) return;
      // What is being given up must be finished before anything is joined again.
      if (isWaitedFor && isHandedOver) return;
      isWaitedFor = (await this.#heartbeat()) === CODE.rebalanceInProgress;
      if (isWaitedFor && isHandedOver) return;
    }
  }

  async #heartbeat(): Promise<number> {
    try {
      return await this.#client.atCoordinator(['group', this.#group], async (address) => {
        const { errorCode } = await this.#client.send(
          address,
          heartbeatV4.api,
          this.#group,
          this.#generation,
          this.#member,
        );
        if (errorCode === CODE.none || errorCode === CODE.rebalanceInProgress) return errorCode;
        throw faultOf(errorCode, `read as a member of ${this.#group}`, this.#client.user);
      });
    } catch (error) {
      // The membership outlives its coordinator: the next one knows it.
      if (isCoordinatorGone(error) || codeOf(error) === CODE.coordinatorLoading) return CODE.none;
      throw error;
    }
  }

  async #join(address: Address): Promise<readonly TopicPartition[]> {
    const claim = claimBytes(this.#topics, [...this.#owned.keys()], this.#generation);
    const joined = await this.#whileAlive(address, () =>
      this.#joins.send(
        address,
        joinGroupV9.api,
        this.#group,
        SESSION_MS,
        REBALANCE_MS,
        this.#member,
        null,
        PROTOCOL_TYPE,
        [{ name: PROTOCOL, metadata: claim }],
      ),
    );
    if (joined.errorCode === CODE.memberIdRequired) this.#member = joined.memberId;
    this.#assertNone(joined.errorCode);
    this.#member = joined.memberId;
    const shares = joined.leader === joined.memberId ? await this.#share(joined.members) : [];
    const synced = await this.#whileAlive(address, () =>
      this.#joins.send(
        address,
        syncGroupV5.api,
        this.#group,
        joined.generationId,
        joined.memberId,
        null,
        PROTOCOL_TYPE,
        PROTOCOL,
        [...shares],
      ),
    );
    this.#assertNone(synced.errorCode);
    this.#generation = joined.generationId;
    return readAssignment(synced.assignment);
  }

  #assertNone(code: number): void {
    if (code !== CODE.none) throw faultOf(code, `join the group ${this.#group}`, this.#client.user);
  }

  async #share(
    members: readonly { readonly memberId: string; readonly metadata: Buffer }[],
  ): Promise<readonly { memberId: string; assignment: Buffer }[]> {
    const claims = members.map(({ memberId, metadata }) => readClaim(memberId, metadata));
    const topics = [...new Set(claims.flatMap((claim) => claim.topics))].sort();
    const infos = await this.#client.existing(topics);
    const counts = new Map(topics.map((topic) => [topic, infos.get(topic)!.leaders.length]));
    return Array.from(assign(claims, counts), ([memberId, names]) => ({
      memberId,
      assignment: assignmentBytes(names),
    }));
  }

  /** A join is answered when the others have joined, so only a heartbeat beside it tells a frozen coordinator. */
  async #whileAlive<T>(address: Address, action: () => Promise<T>): Promise<T> {
    const answered = new AbortController();
    const dead = Promise.withResolvers<never>();
    const watch = async (): Promise<void> => {
      while (!answered.signal.aborted) {
        await this.#client.options.clock.sleep(HEARTBEAT_MS, answered.signal);
        if (!answered.signal.aborted)
          await this.#client.send(address, heartbeatV4.api, this.#group, this.#generation, this.#member);
      }
    };
    void watch().catch(dead.reject);
    try {
      return await Promise.race([action(), dead.promise]);
    } finally {
      answered.abort();
    }
  }

  /** Throws what does not pass. */
  async #recover(error: unknown): Promise<void> {
    if (this.#stopping.signal.aborted) return;
    if (!isRetryable(error)) throw error;
    const code = codeOf(error);
    if (code === CODE.memberIdRequired || code === CODE.rebalanceInProgress) return;
    if (code === CODE.unknownMember || code === CODE.illegalGeneration) {
      // The group went on without us: whatever we had may be another's by now.
      if (code === CODE.unknownMember) this.#member = '';
      this.#generation = -1;
      this.#dropAll();
      return;
    }
    // A join that was not answered would be in the way of the next one.
    this.#joins.close();
    this.#joins = this.#client.connections(JOIN_TIMEOUT_MS);
    await this.#client.pause(this.#stopping.signal);
  }

  #dropAll(): void {
    this.#granted = new Map();
    this.#own(this.#granted);
  }

  async #signOff(): Promise<void> {
    if (this.#member === '' || this.#client.closing.aborted) return;
    await this.#client.atCoordinator(['group', this.#group], (address) =>
      this.#client.send(address, leaveGroupV5.api, this.#group, [{ memberId: this.#member }]),
    );
  }
}
