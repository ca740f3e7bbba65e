// What this client speaks is what the pinned server speaks: its jar carries the .proto files it was built from.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { systemClock } from '../../../../lib/clock.ts';
import { silentLog } from '../../../../lib/log.ts';
import { unzipEntry } from '../../../../services/redis/unzip.ts';
import { installSpark, SPARK_VERSION } from '../../../../services/spark/installation.ts';
import { file_spark_connect } from './generated/spark-connect_pb.ts';
import { descriptorContract } from './testing/descriptor-contract.ts';
import { type ProtoContract, protoContract } from './testing/proto-text.ts';

const SERVER_FILES = ['base', 'commands', 'common', 'expressions', 'relations'] as const;

/** What of ours the server does not have, or has otherwise. */
const differences = (ours: ProtoContract, servers: ProtoContract): string[] =>
  [...ours].flatMap(([type, lines]) => {
    const known = servers.get(type);
    if (known === undefined) return [`${type}: the server does not know it`];
    return lines.filter((line) => !known.includes(line)).map((line) => `${type}: ${line}`);
  });

describe(`the wire format of Spark ${SPARK_VERSION}`, () => {
  const ours = descriptorContract(file_spark_connect);
  let servers: ProtoContract;

  before(async () => {
    const { environment } = await installSpark({ clock: systemClock, log: silentLog });
    const jar = join(environment['SPARK_HOME']!, 'jars', `spark-connect_2.13-${SPARK_VERSION}.jar`);
    const archive = readFileSync(jar);
    servers = protoContract(
      SERVER_FILES.map((name) =>
        unzipEntry(archive, (entry) => entry === `spark/connect/${name}.proto`).toString(),
      ),
    );
  });

  test('is ours, field by field: number, type, label, oneof', () => {
    assert.ok(servers.size > 200, 'the server speaks more than we do');
    assert.deepEqual(differences(ours, servers), []);
  });

  test('would be told from another: each field with another number, type, label or oneof is found', () => {
    const lines = [...ours].flatMap(([type, members]) => members.map((line) => [type, line] as const));
    assert.ok(lines.length > 100);
    for (const [type, line] of lines) {
      const others = [line.replace(/ = (\d+)/, ' = 77$1'), `${line} in another`, `not_${line}`];
      for (const other of others.filter((text) => text !== line)) {
        assert.equal(differences(new Map([[type, [other]]]), servers).length, 1, `${type}: ${other}`);
      }
    }
  });
});
