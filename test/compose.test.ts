// The servers as Docker starts them are those that the launcher starts: versions, settings, users, ports.
import assert from 'node:assert/strict';
import { accessSync, constants, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { OPTIONS } from '../src/app/options.ts';
import { KAFKA_VERSION } from '../src/services/kafka/installation.ts';
import {
  ADMIN_USER,
  BROKER_USER,
  CLUSTER_SETTINGS,
  JVM_OPTIONS,
  NODE_IDS,
} from '../src/services/kafka/settings.ts';
import { POSTGRES_SETTINGS } from '../src/services/postgres/settings.ts';
import { VALKEY_VERSION } from '../src/services/redis/binary.ts';
import { REDIS_RULES, REDIS_SETTINGS } from '../src/services/redis/settings.ts';
import { parseYaml } from './support/yaml.ts';

interface Service {
  readonly image: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly secrets: readonly string[];
  readonly healthcheck: Readonly<Record<string, string>>;
  readonly restart: string;
  readonly stop_grace_period: string;
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, object>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

const ops = (file: string) => readFileSync(new URL(`../ops/${file}`, import.meta.url), 'utf8');

/** `name=value` or `name value` lines. */
const settingsOf = (text: string, separator: '=' | ' '): Record<string, string> =>
  Object.fromEntries(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const at = line.indexOf(separator);
        return [line.slice(0, at), line.slice(at + 1).replace(/^"(.*)"$/, '$1')];
      }),
  );

const { services, volumes, secrets } = parseYaml(ops('compose.yaml')) as unknown as Compose;
const service = (name: string): Service => services[name]!;
const kafka = NODE_IDS.map((id) => service(`kafka-${id}`));
const postgres = [service('postgres-shop'), service('postgres-dwh')];

describe('ops/compose.yaml', () => {
  test('has the structure that Docker expects, nothing else', () => {
    const known =
      'image entrypoint user command environment secrets ports volumes healthcheck restart stop_grace_period';
    assert.deepEqual(Object.keys(services), [
      ...NODE_IDS.map((id) => `kafka-${id}`),
      'redis',
      'postgres-shop',
      'postgres-dwh',
    ]);
    for (const [name, one] of Object.entries(services)) {
      for (const key of Object.keys(one)) assert.ok(known.split(' ').includes(key), `${name}.${key}`);
      assert.match(one.image, /^[\w/]+:\d+\.\d+(\.\d+)?$/, 'the image is pinned');
      assert.deepEqual(Object.keys(one.healthcheck).sort(), ['interval', 'retries', 'test', 'timeout']);
      assert.equal(one.restart, 'unless-stopped');
      assert.match(one.stop_grace_period, /^\d+s$/);
      for (const secret of one.secrets) assert.equal(secrets[secret]!.file, `./secrets/${secret}`);
      for (const volume of one.volumes) {
        const [source] = volume.split(':') as [string];
        assert.ok(source.startsWith('./') || source in volumes, volume);
      }
    }
  });

  test('listens on this machine only, where the options look', () => {
    const published = Object.values(services).flatMap(({ ports }) => ports);
    for (const port of published) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/);
    const of = (one: Service) => one.ports[0]!.split(':').slice(0, 2).join(':');
    assert.equal(kafka.map(of).join(','), OPTIONS.kafkaBrokers.default);
    assert.ok(OPTIONS.redisUrl.shown!.endsWith(of(service('redis'))));
    assert.ok(OPTIONS.shopUrl.shown!.endsWith(of(postgres[0]!)));
    assert.ok(OPTIONS.dwhUrl.shown!.endsWith(of(postgres[1]!)));
  });

  test('has the same Kafka, but for the listener by which brokers find each other in their own network', () => {
    const {
      'listener.security.protocol.map': map,
      'inter.broker.listener.name': name,
      ...settings
    } = settingsOf(ops('kafka/server.properties'), '=');
    const {
      'listener.security.protocol.map': ours,
      'inter.broker.listener.name': _,
      ...wanted
    } = CLUSTER_SETTINGS;
    assert.deepEqual(settings, wanted);
    assert.equal(name, 'BROKER');
    assert.equal(map, `${ours!.split(',')[0]},BROKER:SASL_PLAINTEXT,${ours!.split(',')[1]}`);
    for (const [index, { image, environment, secrets: given, volumes: folders }] of kafka.entries()) {
      const { NODE_ID, LISTENERS, ADVERTISED_LISTENERS, QUORUM_VOTERS, ...others } = environment!;
      const id = NODE_IDS[index]!;
      const port = 9092 + index;
      assert.equal(image, `apache/kafka:${KAFKA_VERSION}`);
      assert.equal(NODE_ID, String(id));
      assert.equal(LISTENERS, `CLIENT://:${port},BROKER://:19092,CONTROLLER://:29092`);
      assert.equal(ADVERTISED_LISTENERS, `CLIENT://127.0.0.1:${port},BROKER://kafka-${id}:19092`);
      assert.equal(QUORUM_VOTERS, NODE_IDS.map((node) => `${node}@kafka-${node}:29092`).join(','));
      assert.equal(
        `${others['KAFKA_HEAP_OPTS']} ${others['KAFKA_JVM_PERFORMANCE_OPTS']}`,
        JVM_OPTIONS.join(' '),
      );
      assert.equal(Buffer.from(others['CLUSTER_ID']!, 'base64url').length, 16);
      assert.equal(others['CLUSTER_ID'], kafka[0]!.environment!['CLUSTER_ID']);
      assert.deepEqual(given, [ADMIN_USER, BROKER_USER]);
      assert.ok(folders.includes(`kafka-${id}:/var/lib/kafka/data`));
    }
  });

  test('has the same Redis and users', () => {
    const { dir, aclfile, ...settings } = settingsOf(ops('redis/redis.conf'), ' ');
    assert.deepEqual(settings, REDIS_SETTINGS);
    assert.deepEqual([dir, aclfile], ['/data', '/run/users.acl']);
    assert.deepEqual(settingsOf(ops('redis/users'), ' '), REDIS_RULES);
    const { image, secrets: given, volumes: folders } = service('redis');
    assert.equal(image, `valkey/valkey:${VALKEY_VERSION}`);
    assert.deepEqual([...given].sort(), Object.keys(REDIS_RULES).sort());
    assert.ok(folders.includes('redis:/data'));
  });

  test('has the same PostgreSQL, data where version 18 keeps it', () => {
    for (const { image, command, environment, volumes: folders } of postgres) {
      assert.match(image, /^postgres:18\./);
      const [program, ...flags] = command!;
      assert.equal(program, 'postgres');
      const values = flags.filter((flag) => flag !== '-c');
      assert.equal(flags.length, 2 * values.length);
      assert.deepEqual(settingsOf(values.join('\n'), '='), POSTGRES_SETTINGS);
      assert.match(folders[0]!, /:\/var\/lib\/postgresql$/);
      assert.equal(environment!['POSTGRES_PASSWORD_FILE'], '/run/secrets/postgres');
    }
    assert.notEqual(postgres[0]!.volumes[0], postgres[1]!.volumes[0]);
  });

  test('its start scripts can be run', () => {
    for (const file of ['kafka/start.sh', 'redis/start.sh']) {
      accessSync(new URL(`../ops/${file}`, import.meta.url), constants.X_OK);
    }
  });

  test('what is not understood is not read', () => {
    for (const wrong of [
      'a: [1, 2]',
      'a: |\n  text',
      'a:\n  b: 1\n   c: 2',
      'just text',
      '<<: *nothing',
      'a: 1\na: 2',
    ]) {
      assert.throws(() => parseYaml(wrong), wrong);
    }
  });
});
