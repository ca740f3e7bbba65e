// What is not committed is not seen, in either mode; and what is committed late is not missed.
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import pg from 'pg';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { dropFeed } from './drop-feed.ts';
import { logicalFeed } from './logical-feed.ts';
import { pollingFeed } from './polling-feed.ts';
import { ensureShopSchema } from './schema.ts';

let postgres: TestPostgres;
before(async () => {
  // The least there is: the server would send a large transaction while it runs, if it were asked to.
  postgres = await testPostgres({ logical_decoding_work_mem: '64kB' });
});
after(() => postgres.stop());

async function setUp(t: TestContext, mode: 'logical' | 'polling') {
  const [shopUrl, url] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, url);
  const parts = { url, database: 'crm_db', clock: systemClock, log: silentLog } as const;
  const feed = mode === 'logical' ? logicalFeed(parts) : pollingFeed({ ...parts, intervalMs: 10 });
  await feed.acquire(t.signal, () => {});
  const snapshot = await feed.open(null);
  await snapshot!.close();
  const client = async (): Promise<pg.Client> => {
    const made = new pg.Client({ connectionString: url });
    await made.connect();
    t.after(() => made.end());
    return made;
  };
  const stop = new AbortController();
  const seen: string[] = [];
  const reading = (async () => {
    for await (const sets of feed.read(stop.signal)) {
      for (const { changes } of sets)
        seen.push(...changes.map(({ after: row }) => row!['interaction_type']!));
    }
  })();
  reading.catch(() => {});
  const seenWith = async (type: string): Promise<readonly string[]> => {
    const until = performance.now() + 10_000;
    while (!seen.includes(type) && performance.now() < until) {
      await Promise.race([systemClock.sleep(10), reading]);
    }
    return [...new Set(seen)];
  };
  t.after(async () => {
    stop.abort();
    await reading.catch(() => {});
    await feed.close();
    await dropFeed(url, 'crm_db');
  });
  return { one: await client(), other: await client(), seenWith };
}

const insert = (type: string, rows = 1): string =>
  `INSERT INTO interaction (interaction_type, session_id)
   SELECT '${type}', repeat('x', 100) FROM generate_series(1, ${rows})`;

for (const mode of ['logical', 'polling'] as const) {
  test(`${mode}: a large transaction that is rolled back is never seen`, async (t) => {
    const { one, other, seenWith } = await setUp(t, mode);
    await one.query('BEGIN');
    await one.query(insert('rolled back', 5_000));
    await other.query(insert('meanwhile'));
    await one.query('ROLLBACK');
    await one.query(
      `BEGIN; SAVEPOINT a; ${insert('given up', 5_000)}; ROLLBACK TO a; ${insert('kept')}; COMMIT`,
    );
    assert.deepEqual(await seenWith('kept'), ['meanwhile', 'kept']);
  });

  test(`${mode}: what a long transaction wrote before others committed is seen when it commits`, async (t) => {
    const { one, other, seenWith } = await setUp(t, mode);
    await one.query(`BEGIN; ${insert('long')}`);
    await other.query(insert('short'));
    // Time for a poll between the two.
    await systemClock.sleep(100);
    await one.query('COMMIT');
    await other.query(insert('last'));
    assert.deepEqual([...(await seenWith('last'))].sort(), ['last', 'long', 'short']);
  });
}
