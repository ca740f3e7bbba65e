// A shop in memory whose changes several captures may read, one at a time.
import { UserError } from '../../../lib/errors.ts';
import type { ChangeFeed, ChangeSet, Row } from '../../../stores/shop/changes.ts';

const visit = (id: number, status: string): Row => ({
  interaction_id: String(id),
  session_id: `s${id % 3}`,
  interaction_type: 'product_inquiry',
  interaction_date: '2026-11-24 10:00:00+00',
  status,
});

export class SharedShop {
  readonly #rows = new Map<number, Row>();
  readonly #sets: ChangeSet[] = [];
  #owner: object | null = null;
  #woken = Promise.withResolvers<void>();
  #commit = 100n;
  /** What the slot has confirmed. */
  acknowledged = 0n;
  /** Called when a capture that has a memory begins to read. */
  opened: () => void = () => {};

  /** Writes visits in one transaction: new ones are inserted, others get the status. */
  write(ids: readonly number[], status: string): void {
    const changes = ids.map((id) => {
      const kind = this.#rows.has(id) ? ('update' as const) : ('insert' as const);
      const after = visit(id, status);
      this.#rows.set(id, after);
      return { table: 'interaction', kind, before: null, after };
    });
    this.#commit += 10n;
    const commit = this.#commit;
    const place = { commit, part: 0, last: true, ackTo: commit + 1n };
    this.#sets.push({ ...place, xid: String(commit), committedAt: 0, changes });
    this.#wake();
  }

  #wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  /** The server ends the owner's session, and the owner does not know. */
  takeFromOwner(): void {
    this.#owner = null;
    this.#wake();
  }

  feed(): ChangeFeed {
    const me = {};
    return {
      database: 'crm_db',
      acquire: async (signal, waiting) => {
        if (this.#owner !== null) waiting();
        while (this.#owner !== null && !signal.aborted) await this.#change(signal);
        if (!signal.aborted) this.#owner = me;
      },
      release: async () => {
        if (this.#owner === me) this.takeFromOwner();
      },
      open: async (memory) => {
        if (memory !== null) {
          if (memory.acknowledged < this.acknowledged) throw new UserError('slot is ahead of us', 'none');
          this.opened();
          return null;
        }
        const rows = [...this.#rows.values()];
        // No commit is as high, and those to come are.
        this.#commit += 5n;
        const commit = this.#commit;
        this.acknowledged = commit + 1n;
        return {
          commit,
          ackTo: commit + 1n,
          takenAt: Number(commit),
          async *rows() {
            yield rows;
          },
          close: async () => {},
        };
      },
      read: (signal) => this.#read(signal, me),
      ack: (ackTo) => {
        if (this.#owner === me && ackTo > this.acknowledged) this.acknowledged = ackTo;
      },
      lag: async () => ({ behind: 0, retainedWalBytes: 0 }),
      close: async () => {},
    };
  }

  async *#read(signal: AbortSignal, reader: object): AsyncIterable<readonly ChangeSet[]> {
    let reached = this.acknowledged;
    while (!signal.aborted) {
      if (this.#owner !== reader) throw Object.assign(new Error('no longer owned'), { retryable: true });
      const sets = this.#sets.filter(({ ackTo }) => ackTo > reached);
      if (sets.length === 0) {
        await this.#change(signal);
        continue;
      }
      reached = sets.at(-1)!.ackTo;
      yield sets;
    }
  }

  async #change(signal: AbortSignal): Promise<void> {
    const woken = this.#woken.promise;
    await Promise.race([
      woken,
      new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      }),
    ]);
  }
}
