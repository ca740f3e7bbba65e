// Each user may do what its stage needs, and nothing else: what is tried here must be refused.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pg from 'pg';
import { RIGHTS } from '../../src/app/cluster/acls.ts';
import { CLUSTER_TOPICS, ROLES } from '../../src/app/profiles/cluster.ts';
import { withUser } from '../../src/app/urls.ts';
import { TOPICS } from '../../src/contracts/topics.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { UserError } from '../../src/lib/errors.ts';
import type { Broker } from '../../src/stores/broker/broker.ts';
import { postgresWarehouse } from '../../src/stores/warehouse/postgres-warehouse.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { openKafka } from '../support/kafka.ts';

let cluster: TestCluster;
const brokers: Broker[] = [];

before(async () => {
  cluster = await testCluster();
  const warehouse = postgresWarehouse({ url: as('dwh', ROLES.loader), clock: systemClock });
  await warehouse.migrate();
  await warehouse.close();
});
after(async () => {
  for (const broker of brokers) await broker.close();
  await cluster?.remove();
});

const refused = (error: unknown): boolean => error instanceof UserError && /may not/.test(error.message);

describe('Kafka', () => {
  const brokerOf = (user: string): Broker => {
    const broker = openKafka(cluster.kafka, { user, password: cluster.kafka.passwords[user]! });
    brokers.push(broker);
    return broker;
  };
  const record = (topic: string) => ({
    topic,
    partition: 0,
    key: 'k',
    value: Buffer.from('{}'),
    headers: {},
  });

  for (const [user, { reads = [], writes = [], groups = [], owners = [] }] of Object.entries(RIGHTS)) {
    test(`${user} writes and reads its own topics, and no others`, async () => {
      const broker = brokerOf(user);
      const mayWrite = new Set([...writes, TOPICS.stageHealth].map(({ name }) => name));
      const mayRead = new Set(reads.map(({ name }) => name));
      for (const { name } of CLUSTER_TOPICS) {
        if (mayWrite.has(name)) await broker.append([record(name)]);
        else await assert.rejects(broker.append([record(name)]), refused, `${user} wrote ${name}`);
        // The tail of a partition is a record.
        if (mayRead.has(name)) await broker.partitions(name);
        else if (mayWrite.has(name))
          await assert.rejects(broker.partitions(name), refused, `${user} read ${name}`);
      }
      await assert.rejects(
        broker.createTopics([{ name: `of-${user}`, partitions: 1, compacted: false }]),
        refused,
        `${user} made a topic`,
      );
    });

    test(`${user} takes over nobody else's partitions, and no other group's offsets`, async () => {
      const broker = brokerOf(user);
      for (const owner of ['instashop-capture-instashop', 'instashop-enrichment-0', 'instashop-metrics']) {
        if (owners.some((own) => owner.startsWith(own))) continue;
        await assert.rejects(
          broker.claim(owner, [`${TOPICS.stageHealth.name}/0`]),
          refused,
          `${user}: ${owner}`,
        );
      }
      for (const group of ['enrichment', 'loader', 'publisher'].filter((name) => !groups.includes(name))) {
        const offsets = new Map([[`${TOPICS.metrics.name}/0`, 0] as const]);
        await assert.rejects(broker.commit(group, offsets), refused, `${user}: ${group}`);
      }
    });
  }
});

const as = (database: 'shop' | 'crm' | 'dwh', role: string): string =>
  withUser(cluster.urls[database], role, `secret of ${role}/%`);

describe('PostgreSQL', () => {
  const ask = async (database: 'shop' | 'crm' | 'dwh', role: string, sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: as(database, role) });
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  };
  const { owner, cdc, loader, dashboard } = ROLES;

  const ALLOWED = [
    ['shop', owner, "INSERT INTO buyer (name, email) VALUES ('A', 'a@example.com')"],
    ['shop', cdc, 'SELECT * FROM transaction'],
    ['crm', cdc, 'SELECT * FROM interaction'],
    ['dwh', loader, 'DELETE FROM realtime_events'],
    ['dwh', dashboard, 'SELECT * FROM realtime_events'],
  ] as const;
  for (const [database, role, sql] of ALLOWED) {
    test(`${role} may: ${sql}`, () => ask(database, role, sql));
  }

  const DENIED = [
    ['shop', cdc, "INSERT INTO buyer (name, email) VALUES ('A', 'a@example.com')"],
    ['shop', cdc, 'UPDATE transaction SET total_amount = 0'],
    ['shop', cdc, 'CREATE TABLE mine (id int)'],
    ['crm', cdc, 'DELETE FROM interaction'],
    ['shop', owner, 'CREATE ROLE other SUPERUSER'],
    ['shop', owner, "SELECT pg_create_logical_replication_slot('mine', 'pgoutput')"],
    ['dwh', dashboard, 'DELETE FROM realtime_events'],
    ['dwh', dashboard, "INSERT INTO loaded_offsets VALUES ('x', 0, 'y', 0)"],
    ['dwh', dashboard, 'CREATE TABLE mine (id int)'],
    ['dwh', loader, 'CREATE ROLE other'],
  ] as const;
  for (const [database, role, sql] of DENIED) {
    test(`${role} may not: ${sql}`, () => assert.rejects(ask(database, role, sql), { code: '42501' }));
  }

  // Roles of one server are unknown on the other.
  for (const [database, role] of [
    ['dwh', cdc],
    ['dwh', owner],
    ['shop', loader],
    ['shop', dashboard],
  ] as const) {
    test(`${role} does not get into ${database}`, () =>
      assert.rejects(ask(database, role, 'SELECT 1'), { code: '28P01' }));
  }
});
