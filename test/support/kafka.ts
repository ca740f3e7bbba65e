import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type KafkaNode, startKafka } from '../../src/services/kafka/kafka.ts';
import { ADMIN_USER, BROKER_USER } from '../../src/services/kafka/settings.ts';
import type { Broker } from '../../src/stores/broker/broker.ts';
import { kafkaBroker } from '../../src/stores/broker/kafka-broker.ts';

/** Users of a test cluster beside the administrator: one a stage. */
const USERS = [
  'capture',
  'enrichment',
  'loader',
  'metrics',
  'publisher',
  'dashboard',
  'operator',
  'generator',
  'spark',
].map((stage) => `instashop-${stage}`);

export interface TestKafka {
  /** host:port of each node. */
  readonly brokers: readonly string[];
  readonly nodes: readonly KafkaNode[];
  /** The administrator: may do everything. */
  readonly admin: { readonly user: string; readonly password: string };
  /** User → password. The stages' users have no rights until ACLs give them some. */
  readonly passwords: Readonly<Record<string, string>>;
  readonly dataDir: string;
  /** Stops the cluster and removes its data. */
  stop(): Promise<void>;
}

/** The broker port on a test cluster, by default as its administrator. Close it in the end. */
export const openKafka = ({ brokers, admin }: TestKafka, auth = admin): Broker =>
  kafkaBroker({ brokers, auth, tls: false, clientId: 'test', clock: systemClock, log: silentLog });

/** Three brokers of their own for a test file, on free ports; they end with the process at the latest. */
export async function testKafka(): Promise<TestKafka> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-kafka-'));
  const passwords = Object.fromEntries(
    [ADMIN_USER, BROKER_USER, ...USERS].map((user) => [user, `secret-of-${user}`]),
  );
  const cluster = await startKafka({
    dataDir: folder,
    ports: null,
    controllerPorts: null,
    users: passwords,
    tied: true,
    clock: systemClock,
    log: silentLog,
  });
  return {
    brokers: cluster.brokers,
    nodes: cluster.nodes,
    admin: { user: ADMIN_USER, password: passwords[ADMIN_USER]! },
    passwords,
    dataDir: folder,
    async stop() {
      await cluster.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
