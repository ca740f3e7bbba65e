import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { MemoryBroker } from '../../../test/support/memory-broker.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { silentLog } from '../../lib/log.ts';
import type { ChangeFeed, ChangeSet, Row } from '../../stores/shop/changes.ts';
import { capture } from './capture.ts';
import { CaptureState, KINDS } from './capture-state.ts';

const visit = (id: number): ChangeSet => {
  const after: Row = {
    interaction_id: String(id),
    interaction_type: 'product_inquiry',
    interaction_date: '2026-11-24 10:00:00+00',
  };
  const change = { table: 'interaction', kind: 'insert', before: null, after } as const;
  const commit = BigInt(id);
  return { commit, part: 0, last: true, ackTo: commit + 1n, xid: `${id}`, committedAt: 0, changes: [change] };
};

/** A database whose feed delivers what is pushed, a set a batch. */
function pushedFeed() {
  const acknowledged: bigint[] = [];
  let deliver: (set: ChangeSet) => void = () => {};
  const sets = new ReadableStream<ChangeSet>({
    start(controller) {
      deliver = (set) => controller.enqueue(set);
    },
  });
  const feed: ChangeFeed = {
    database: 'crm_db',
    acquire: async () => {},
    release: async () => {},
    open: async () => ({
      commit: 0n,
      ackTo: 1n,
      takenAt: 0,
      async *rows() {},
      close: async () => {},
    }),
    async *read(signal) {
      const reader = sets.getReader();
      signal.addEventListener('abort', () => reader.cancel());
      for (let next = await reader.read(); !next.done; next = await reader.read()) yield [next.value];
    },
    ack: (ackTo) => acknowledged.push(ackTo),
    lag: async () => ({ behind: 0, retainedWalBytes: 0 }),
    close: async () => {},
  };
  return { feed, acknowledged, push: (set: ChangeSet) => deliver(set) };
}

test('nothing is saved of a change whose events are not in the log yet', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'capture-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const clock = new ManualClock();
  const broker = new MemoryBroker();
  await broker.createTopics(Object.values(TOPICS));
  const { feed, acknowledged, push } = pushedFeed();
  let hold: Promise<void> = Promise.resolve();
  const stopping = new AbortController();
  const running = capture({
    feeds: [feed],
    names: {
      names: async () => new Map(),
      sales: async () => ({ headers: [], items: [] }),
      close: async () => {},
    },
    broker: {
      recordBytesMax: broker.recordBytesMax,
      partitions: (topic) => broker.partitions(topic),
      read: (options) => broker.read(options),
      claim: async () => ({
        append: async (records) => {
          await hold;
          await broker.append(records);
        },
      }),
    },
    clock,
    log: silentLog,
    dir,
    mainCurrency: 'USD',
    resnapshot: false,
  }).run(stopping.signal);

  await clock.advance(500);
  push(visit(10));
  await clock.advance(100);
  const gate = Promise.withResolvers<void>();
  hold = gate.promise;
  push(visit(20));
  await clock.advance(0);
  // The first is due to be saved while the second is on its way into the log.
  await clock.advance(2_000);
  assert.equal(stateAsOfNow(dir, clock).get(KINDS.interaction, 20), undefined);
  assert.ok(!acknowledged.includes(21n));
  gate.resolve();
  stopping.abort();
  await running;
  assert.notEqual(stateAsOfNow(dir, clock).get(KINDS.interaction, 20), undefined);
  assert.equal(acknowledged.at(-1), 21n);
});

/** The state that a process killed now would leave behind. */
function stateAsOfNow(dir: string, clock: ManualClock): CaptureState {
  const copy = mkdtempSync(join(dir, 'copy-'));
  for (const name of readdirSync(dir)) {
    if (name.includes('.db')) copyFileSync(join(dir, name), join(copy, name));
  }
  return new CaptureState(copy, 'crm_db', clock, 1_000_000);
}
