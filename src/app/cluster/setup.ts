// What the servers of a cluster must hold before the stages run. Done by their administrators, again and again alike.
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { grant } from '../../stores/broker/kafka-acls.ts';
import { kafkaBroker } from '../../stores/broker/kafka-broker.ts';
import { prepareShop } from '../../stores/shop/prepare.ts';
import type { Options } from '../options.ts';
import { CLUSTER_TOPICS, ROLES } from '../profiles/cluster.ts';
import { retentionOf } from '../retention.ts';
import { withUser } from '../urls.ts';
import { RIGHTS, rulesOf } from './acls.ts';
import { type DatabaseUrls, ensureRoles, type RolePasswords } from './roles.ts';

export interface SetupParts {
  readonly brokers: readonly string[];
  readonly admin: { readonly user: string; readonly password: string };
  /** A superuser's, databases included: they must be there. */
  readonly databases: DatabaseUrls;
  readonly rolePasswords: RolePasswords;
  readonly options: Pick<Options, 'retention' | 'retentionSize'>;
  readonly clock: Clock;
  readonly log: Log;
}

/** Topics and rights in Kafka; roles, the shop's tables and publications in PostgreSQL. */
export async function setUpCluster(parts: SetupParts): Promise<void> {
  await Promise.all([setUpKafka(parts), setUpPostgres(parts)]);
}

async function setUpKafka({ brokers, admin, options, clock, log }: SetupParts): Promise<void> {
  const access = { brokers, auth: admin, tls: false, clientId: 'instashop-setup', clock, log };
  const broker = kafkaBroker({
    ...access,
    ...retentionOf(options),
  });
  try {
    await broker.createTopics(CLUSTER_TOPICS);
  } finally {
    await broker.close();
  }
  await grant(access, rulesOf(RIGHTS));
}

async function setUpPostgres({ databases, rolePasswords }: SetupParts): Promise<void> {
  await ensureRoles(databases, rolePasswords);
  const as = (url: string) => withUser(url, ROLES.owner, rolePasswords[ROLES.owner]);
  await prepareShop(as(databases.shop), as(databases.crm));
}
