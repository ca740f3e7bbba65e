// Rights of users on topics, groups and the names of claims.
import {
  AclOperations,
  AclPermissionTypes,
  createAclsV3,
  describeAclsV3,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka';
import { KafkaClient, type KafkaClientOptions } from './kafka-client.ts';
import { CODE, faultOf, KafkaFault } from './kafka-faults.ts';

/** One right. Reading or writing implies describing. */
export interface Rule {
  readonly user: string;
  readonly kind: 'topic' | 'group' | 'transactional-id';
  readonly name: string;
  /** true: of all whose names begin so. */
  readonly prefix?: boolean;
  readonly operation: 'read' | 'write' | 'describe';
}

const RESOURCE = {
  topic: ResourceTypes.TOPIC,
  group: ResourceTypes.GROUP,
  'transactional-id': ResourceTypes.TRANSACTIONAL_ID,
} as const;
const OPERATION = {
  read: AclOperations.READ,
  write: AclOperations.WRITE,
  describe: AclOperations.DESCRIBE,
} as const;

/**
 * Grants the rights; those that are there stay. Resolves when every broker that answers knows them. Rejects with a
 * UserError when this user may not grant any.
 */
export async function grant(options: KafkaClientOptions, rules: readonly Rule[]): Promise<void> {
  const client = new KafkaClient(options);
  const creations = rules.map(({ user, kind, name, prefix, operation }) => ({
    resourceType: RESOURCE[kind],
    resourceName: name,
    resourcePatternType: prefix ? ResourcePatternTypes.PREFIXED : ResourcePatternTypes.LITERAL,
    principal: `User:${user}`,
    host: '*',
    operation: OPERATION[operation],
    permissionType: AclPermissionTypes.ALLOW,
  }));
  try {
    const { results } = await client.retrying(() => client.ask(createAclsV3.api, creations));
    for (const [index, { errorCode }] of results.entries()) {
      if (errorCode === CODE.none) continue;
      throw faultOf(errorCode, `grant a right on ${rules[index]!.name}`, client.user);
    }
    await client.retrying(() => knownToAll(client, new Set(creations.map(keyOf))));
  } finally {
    client.close();
  }
}

type Acl = Parameters<typeof createAclsV3.api.async>[1][number];
type Known = Pick<Acl, 'resourceType' | 'resourceName' | 'resourcePatternType' | 'principal' | 'operation'>;

const keyOf = (acl: Known): string =>
  [acl.resourceType, acl.resourceName, acl.resourcePatternType, acl.principal, acl.operation].join(' ');

const ALL = {
  resourceType: ResourceTypes.ANY,
  resourceName: null,
  resourcePatternType: ResourcePatternTypes.ANY,
  principal: null,
  host: null,
  operation: AclOperations.ANY,
  permissionType: AclPermissionTypes.ANY,
} as const;

/** A right reaches the brokers one after the other, within a second. */
async function knownToAll(client: KafkaClient, wanted: ReadonlySet<string>): Promise<void> {
  await client.topics([]);
  const answers = await Promise.allSettled(
    Array.from(client.nodes().values(), (address) => client.send(address, describeAclsV3.api, ALL)),
  );
  for (const answer of answers) {
    if (answer.status === 'rejected') continue;
    const { resources } = answer.value;
    const known = new Set(
      resources.flatMap(({ acls, ...resource }) => acls.map((acl) => keyOf({ ...resource, ...acl }))),
    );
    if ([...wanted].some((key) => !known.has(key)))
      throw new KafkaFault('the rights have not reached every broker', null);
  }
}
