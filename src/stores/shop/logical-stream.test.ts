import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import type { ChangeSet } from './changes.ts';
import { LogicalStream } from './logical-stream.ts';
import { ReplicationConnection } from './replication-connection.ts';

const NOWHERE = 'postgres://nobody@127.0.0.1:1/nothing';

test('a commit record that begins where a sign of life ended comes after it', async () => {
  const connection = new ReplicationConnection(NOWHERE, systemClock);
  const stream = new LogicalStream(connection, {}, systemClock, 0);
  stream.keepalive(1_000n);
  stream.begin({ commit: 1_000n, committedAt: 0, xid: '7' });
  stream.commit(1_048n);
  stream.keepalive(1_048n);
  // Told already: the commit above ended there.
  const stop = new AbortController();
  const sets: ChangeSet[] = [];
  for await (const batch of stream.batches(stop.signal)) {
    sets.push(...batch);
    stop.abort();
  }
  assert.deepEqual(
    sets.map(({ xid, commit, ackTo }) => [xid, commit, ackTo]),
    [
      ['', 999n, 1_000n],
      ['7', 1_000n, 1_048n],
    ],
  );
});
