import type { StatusChange } from '../../stores/shop/shop.ts';
import type { FollowUp } from './sales.ts';

/** What is still to happen to sales that are written. */
export interface FollowUps {
  add(transactionId: number, followUps: readonly FollowUp[]): void;
  /** What is due by `until`, each sale once: its next change comes with a later call. */
  take(until: number): readonly StatusChange[];
  readonly waiting: number;
  /** Sales that stay as they are because too many were waiting. */
  readonly dropped: number;
}

interface Entry {
  readonly transactionId: number;
  readonly followUps: readonly FollowUp[];
}

/** Two minutes of 5,000 sales a second need about 15,000. */
const WAITING_MAX = 100_000;

/** Nothing is due before `startAt`. Due times are rounded up to the second. */
export function followUpQueue(startAt: number): FollowUps {
  const bySecond = new Map<number, Entry[]>();
  let second = Math.floor(startAt / 1000);
  let waiting = 0;
  let dropped = 0;

  const add = (transactionId: number, followUps: readonly FollowUp[]): void => {
    const [first] = followUps;
    if (first === undefined) return;
    if (waiting >= WAITING_MAX) {
      dropped++;
      return;
    }
    waiting++;
    // A second that has been taken already does not come again.
    const due = Math.max(Math.ceil(first.at / 1000), second + 1);
    const entry = { transactionId, followUps };
    const there = bySecond.get(due);
    if (there) there.push(entry);
    else bySecond.set(due, [entry]);
  };

  return {
    add,
    take(until) {
      const entries: Entry[] = [];
      for (const last = Math.floor(until / 1000); second < last; ) {
        second++;
        entries.push(...(bySecond.get(second) ?? []));
        bySecond.delete(second);
      }
      waiting -= entries.length;
      return entries.map(({ transactionId, followUps: [first, ...rest] }) => {
        add(transactionId, rest);
        return { transactionId, from: first!.from, to: first!.to, at: first!.at };
      });
    },
    get waiting() {
      return waiting;
    },
    get dropped() {
      return dropped;
    },
  };
}
