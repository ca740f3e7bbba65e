import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { sparkFindings, sparkMemoryBytes } from './findings.ts';
import { freeSparkPorts, sparkPortsBy, USUAL_PORTS, USUAL_SIZES, WORKERS_MAX } from './settings.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'instashop-spark-findings-'));
after(() => rmSync(dataDir, { recursive: true }));
const about = async (pattern: RegExp, more: Partial<Parameters<typeof sparkFindings>[0]> = {}) => {
  const ports = await freeSparkPorts(1);
  const found = await sparkFindings({ dataDir, ports, sizes: USUAL_SIZES, cacheDir: dataDir, ...more });
  return found.filter(({ what }) => pattern.test(what));
};

test('too little memory is told before anything starts', async () => {
  assert.equal((await about(/memory/, { sizes: { ...USUAL_SIZES, executorMb: 1e9 } })).length, 1);
});

test('each worker needs memory for itself and its executor', async () => {
  const bytes = async (workers: number) =>
    sparkMemoryBytes({ dataDir, ports: await freeSparkPorts(workers), sizes: USUAL_SIZES });
  assert.equal((await bytes(2)) - (await bytes(1)), (256 + 768) * 0.75 * (1 << 20));
});

test('a port in use is told, with the process that needs it', async () => {
  const ports = await freeSparkPorts(2);
  const stranger = createServer().listen(ports.workers[1]!.ui, '127.0.0.1');
  await once(stranger, 'listening');
  try {
    const found = await about(/cannot listen/, { ports });
    assert.deepEqual(
      found.map(({ what }) => what),
      [`Spark's worker-2 cannot listen on 127.0.0.1:${ports.workers[1]!.ui}: another program listens there`],
    );
  } finally {
    stranger.close();
  }
});

test('a missing Java is told', async () => {
  const home = process.env['JAVA_HOME'];
  process.env['JAVA_HOME'] = dataDir;
  try {
    assert.equal((await about(/Spark needs Java/)).length, 1);
  } finally {
    if (home === undefined) delete process.env['JAVA_HOME'];
    else process.env['JAVA_HOME'] = home;
  }
});

test('no two processes get the same port', () => {
  const { workers, ...single } = sparkPortsBy(USUAL_PORTS, WORKERS_MAX);
  const all = [...Object.values(single), ...workers.flatMap(({ port, ui }) => [port, ui])];
  assert.equal(new Set(all).size, all.length);
});
