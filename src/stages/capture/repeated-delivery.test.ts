// What the shop delivers again after a kill, and what it may forget.
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { memoryBroker } from '../../../test/support/memory-broker.ts';
import { TOPICS } from '../../contracts/topics.ts';
import { silentLog } from '../../lib/log.ts';
import type { ChangeFeed, ChangeSet } from '../../stores/shop/changes.ts';
import { capture } from './capture.ts';

const visit = (id: number): ChangeSet => ({
  commit: BigInt(id),
  part: 0,
  last: true,
  ackTo: BigInt(id) + 1n,
  xid: `${id}`,
  committedAt: 0,
  changes: [
    {
      table: 'interaction',
      kind: 'insert',
      before: null,
      after: {
        interaction_id: String(id),
        // All of one partition.
        session_id: 's',
        interaction_type: 'product_inquiry',
        interaction_date: '2026-11-24 10:00:00+00',
      },
    },
  ],
});

/** An empty database that delivers these sets, then nothing. */
function feedOf(sets: readonly ChangeSet[], acknowledged: bigint[] = []): ChangeFeed {
  return {
    database: 'crm_db',
    acquire: async () => {},
    release: async () => {},
    open: async (memory) =>
      memory === null
        ? {
            commit: 0n,
            ackTo: 1n,
            takenAt: 0,
            async *rows() {},
            close: async () => {},
          }
        : null,
    async *read(signal) {
      yield sets;
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    },
    ack: (ackTo) => acknowledged.push(ackTo),
    lag: async () => ({ behind: 0, retainedWalBytes: 0 }),
    close: async () => {},
  };
}

const NAMES = {
  names: async () => new Map(),
  sales: async () => ({ headers: [], items: [] }),
  close: async () => {},
};

const folder = (t: TestContext): string => {
  const dir = mkdtempSync(join(tmpdir(), 'capture-'));
  t.after(() => rmSync(dir, { recursive: true }));
  return dir;
};

function setUp() {
  const broker = memoryBroker(Object.values(TOPICS));
  const clock = new ManualClock();
  const start = (dir: string, feed: ChangeFeed) => {
    const stopping = new AbortController();
    const options = { feeds: [feed], names: NAMES, broker, clock, log: silentLog, dir, mainCurrency: 'USD' };
    const running = capture({ ...options, resnapshot: false }).run(stopping.signal);
    running.catch(() => {});
    const stop = async () => {
      stopping.abort();
      await running;
    };
    return { running, stop };
  };
  const published = () =>
    broker
      .records(TOPICS.userBehavior.name)
      .map(({ value }) => JSON.parse(Buffer.from(value).toString()).interaction_id);
  return { clock, start, published };
}

test('killed after the append, before the state was saved: what comes again is not published again', async (t) => {
  const { clock, start, published } = setUp();
  const [dir, left] = [folder(t), folder(t)];
  const first = start(dir, feedOf([visit(10), visit(20)]));
  await clock.advance(0);
  assert.deepEqual(published(), [10, 20]);
  // What a kill at this moment leaves: the log has both, the state neither.
  cpSync(dir, left, { recursive: true });
  await first.stop();
  const second = start(left, feedOf([visit(10), visit(20), visit(30)]));
  await clock.advance(0);
  await second.stop();
  assert.deepEqual(published(), [10, 20, 30]);
});

test('the shop is told nothing of what the state could not keep', async (t) => {
  const { clock, start, published } = setUp();
  const dir = folder(t);
  const acknowledged: bigint[] = [];
  const { running } = start(dir, feedOf([visit(10)], acknowledged));
  await clock.advance(0);
  assert.deepEqual(published(), [10]);
  using other = new DatabaseSync(join(dir, 'capture-crm_db.db'));
  other.exec('BEGIN IMMEDIATE');
  await clock.advance(2_000);
  await assert.rejects(running, /locked/);
  assert.deepEqual(acknowledged, []);
});
