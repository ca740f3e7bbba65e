// Rights of users on topics, groups and the names of claims.
import {
  AclOperations,
  AclPermissionTypes,
  createAclsV3,
  ResourcePatternTypes,
  ResourceTypes,
} from '@platformatic/kafka';
import { KafkaClient, type KafkaClientOptions } from './kafka-client.ts';
import { CODE, faultOf } from './kafka-faults.ts';

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

/** Grants the rights; those that are there stay. Rejects with a UserError when this user may not grant any. */
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
  } finally {
    client.close();
  }
}
