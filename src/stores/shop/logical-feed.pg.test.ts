import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type TestPostgres, testPostgres } from '../../../test/support/postgres.ts';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import type { ChangeFeed } from './changes.ts';
import { dropFeed } from './drop-feed.ts';
import { logicalFeed } from './logical-feed.ts';
import { shopPreflight } from './preflight.ts';
import { ensureShopSchema } from './schema.ts';

let postgres: TestPostgres;
let shopUrl: string;
let crmUrl: string;
before(async () => {
  postgres = await testPostgres();
  [shopUrl, crmUrl] = [await postgres.database(), await postgres.database()];
  await ensureShopSchema(shopUrl, crmUrl);
});
after(() => postgres.stop());

const feedOf = (): ChangeFeed =>
  logicalFeed({ url: crmUrl, database: 'crm_db', clock: systemClock, log: silentLog, lingerMs: 0 });

test('a quiet database acknowledges what others write, and holds no log back', async (t) => {
  const feed = feedOf();
  const snapshot = await feed.open(null);
  await snapshot!.close();
  const abort = new AbortController();
  t.after(async () => {
    abort.abort();
    await feed.close();
    await dropFeed(crmUrl, 'crm_db');
  });
  await postgres.sql(
    shopUrl,
    `INSERT INTO buyer (name) SELECT repeat('x', 100) FROM generate_series(1, 20000)`,
  );
  const [{ lsn }] = (await postgres.sql<{ lsn: string }>(
    shopUrl,
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0') AS lsn`,
  )) as [{ lsn: string }];
  for await (const sets of feed.read(abort.signal)) {
    for (const set of sets) {
      assert.deepEqual(set.changes, []);
      feed.ack(set.ackTo);
    }
    if (sets.at(-1)!.ackTo >= BigInt(lsn)) break;
  }
  const [slot] = await postgres.sql<{ behind: string }>(
    crmUrl,
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn) AS behind FROM pg_replication_slots`,
  );
  assert.ok(Number(slot!.behind) < 100_000, `the slot is ${slot!.behind} bytes behind`);
});

test('what was not acknowledged comes again, and what was does not', async (t) => {
  const feed = feedOf();
  const snapshot = await feed.open(null);
  await snapshot!.close();
  t.after(async () => {
    await feed.close();
    await dropFeed(crmUrl, 'crm_db');
  });
  const insert = (type: string) =>
    postgres.sql(crmUrl, `INSERT INTO interaction (interaction_type) VALUES ('${type}')`);
  const next = async (ack: boolean) => {
    for await (const sets of feed.read(AbortSignal.timeout(10_000))) {
      const set = sets.find(({ changes }) => changes.length > 0);
      if (!set) continue;
      if (ack) feed.ack(set.ackTo);
      // Time for the acknowledgement to be sent before the connection is dropped.
      await systemClock.sleep(50);
      return set.changes[0]!.after!['interaction_type'];
    }
    return null;
  };
  await insert('one');
  assert.equal(await next(false), 'one');
  assert.equal(await next(true), 'one');
  await insert('two');
  assert.equal(await next(true), 'two');
});

test('the preflight finds what is missing, each with its remedy', async (t) => {
  assert.deepEqual(await shopPreflight(shopUrl, 'instashop', 'logical'), []);
  const wrong = new URL(shopUrl);
  wrong.password = 'wrong';
  const [refused] = await shopPreflight(wrong.href, 'instashop', 'logical');
  assert.match(refused!.what, /refuses the user or password/);
  assert.match(refused!.remedy, /--shop-url/);

  const plain = await testPostgres({ wal_level: 'replica', max_wal_senders: '0' });
  t.after(() => plain.stop());
  const url = await plain.database();
  await plain.sql(url, 'CREATE TABLE interaction (interaction_id int PRIMARY KEY)');
  const findings = await shopPreflight(url, 'crm_db', 'logical');
  const what = findings.map((finding) => finding.what).join('\n');
  assert.match(what, /wal_level of crm_db's server is replica/);
  assert.match(what, /no WAL sender is free/);
  assert.match(what, /has no column .*cart_total/);
  assert.deepEqual(
    (await shopPreflight(url, 'crm_db', 'polling')).filter(({ severity }) => severity === 'error'),
    [],
  );
});
