// Redis is killed, emptied, frozen while the publisher writes to it: in the end it holds exactly the newest version of
// every value, and a listener has heard each of them, never an older one after a newer one.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createClient } from '@redis/client';
import { type MetricValue, metricKey, metricVersion } from '../src/contracts/metric-value.ts';
import { TOPICS } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { isRetryable } from '../src/lib/retry.ts';
import { DASHBOARD_USER, PUBLISHER_USER, REDIS_ADMIN_USER } from '../src/services/redis/settings.ts';
import { publisher } from '../src/stages/publisher/publisher.ts';
import { health, START, sales } from '../src/stores/metrics-store/metrics-store.suite.ts';
import { redisMetricsStore } from '../src/stores/metrics-store/redis-metrics-store.ts';
import { memoryBroker } from './support/memory-broker.ts';
import { type TestRedis, testRedis } from './support/redis.ts';

const WINDOWS = 40;
const GROUPS = 25;
const SETTLED_MS_MAX = 30_000;

let redis: TestRedis;
before(async () => {
  redis = await testRedis();
});
after(() => redis.stop());

async function asAdmin(...command: string[]): Promise<unknown> {
  const client = createClient({ url: redis.server.url(REDIS_ADMIN_USER) });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await client.sendCommand(command);
  } finally {
    client.destroy();
  }
}

const store = (user: string) =>
  redisMetricsStore({
    url: redis.server.url(user),
    clock: systemClock,
    log: silentLog,
    mainCurrency: 'USD',
  });

/** Values that grow without end, a publisher that is started again after passing faults, and a listener. */
async function flow() {
  const broker = memoryBroker(Object.values(TOPICS));
  const newest = new Map<string, MetricValue>();
  const writing = new AbortController();
  const write = async () => {
    for (let round = 1; !writing.signal.aborted; round++) {
      const values = Array.from({ length: 200 }, (_, index) => {
        const cell = (round * 200 + index * 7) % (WINDOWS * GROUPS);
        const group = { currency: cell % GROUPS === 0 ? 'USD' : `C${cell % GROUPS}` };
        return sales(Math.floor(cell / GROUPS), round, { group });
      });
      for (const value of values) newest.set(metricKey(value), value);
      const record = (topic: string, partition: number, key: string, value: unknown) => ({
        topic,
        partition,
        key,
        value: Buffer.from(JSON.stringify(value)),
        headers: {},
        timestamp: systemClock.now(),
      });
      const records = values.map((value) =>
        record(TOPICS.metrics.name, (value.window_start / 30_000) % 6, metricKey(value), value),
      );
      const said = { ...health('loader', systemClock.now()), instance: 'a' };
      await broker.append([...records, record(TOPICS.stageHealth.name, 0, 'loader@a', said)]);
      await systemClock.sleep(20, writing.signal);
    }
  };
  const stopping = new AbortController();
  const [publishers, dashboards] = [await store(PUBLISHER_USER), await store(DASHBOARD_USER)];
  const stage = publisher({ broker, metricsStore: publishers, clock: systemClock, log: silentLog });
  const faults: string[] = [];
  const supervise = async () => {
    while (!stopping.signal.aborted) {
      await stage.run(stopping.signal).catch((error: Error) => {
        assert.ok(isRetryable(error), error.stack);
        faults.push(error.message);
      });
      await systemClock.sleep(100, stopping.signal);
    }
  };
  const heard = new Map<string, number>();
  let backwards = 0;
  dashboards.subscribe(({ values }) => {
    for (const value of values) {
      const [key, version] = [metricKey(value), metricVersion(value)];
      if (version <= (heard.get(key) ?? -1)) backwards += 1;
      heard.set(key, version);
    }
  });
  const running = [write(), supervise()];
  const stored = () => dashboards.range('transactions', START, START + 3_600_000).catch(() => []);
  const versions = (values: Iterable<MetricValue>) =>
    [...values].map((value) => `${metricKey(value)} ${metricVersion(value)}`).sort();
  const settled = async (): Promise<void> => {
    writing.abort();
    await running[0];
    const wanted = versions(newest.values());
    assert.equal(wanted.length, WINDOWS * GROUPS);
    const until = systemClock.now() + SETTLED_MS_MAX;
    let found = { stored: -1, heard: -1 };
    do {
      await systemClock.sleep(50);
      const inStore = new Set(versions(await stored()));
      found = {
        stored: wanted.filter((version) => inStore.has(version)).length,
        heard: [...newest].filter(([key, value]) => heard.get(key) === metricVersion(value)).length,
      };
    } while ((found.stored < wanted.length || found.heard < wanted.length) && systemClock.now() < until);
    assert.deepEqual(found, { stored: wanted.length, heard: wanted.length });
    assert.equal((await stored()).length, wanted.length);
    assert.equal(backwards, 0);
    assert.equal((await dashboards.health())[0]?.instance, 'a');
  };
  const stop = async (): Promise<void> => {
    writing.abort();
    stopping.abort();
    await Promise.all(running);
    await Promise.all([publishers.close(), dashboards.close()]);
  };
  return { settled, stop, faults };
}

async function under(fault: () => Promise<void>): Promise<readonly string[]> {
  await asAdmin('FLUSHALL');
  const { settled, stop, faults } = await flow();
  try {
    await systemClock.sleep(1_000);
    await fault();
    await systemClock.sleep(1_000);
    await settled();
  } finally {
    await stop();
  }
  return faults;
}

const kill = async (): Promise<void> => {
  redis.server.kill('SIGKILL');
  while (redis.server.pid() !== null) await systemClock.sleep(10);
};

test('nothing happens: the same holds', async () => {
  assert.deepEqual(await under(async () => {}), []);
});

test('killed and started again on its append-only file', async () => {
  let filledBefore: unknown;
  await under(async () => {
    filledBefore = await asAdmin('HGET', 'instashop:filled', 'server');
    await kill();
    await systemClock.sleep(500);
    await redis.server.start();
    assert.notEqual(await asAdmin('GET', 'metrics:transactions'), null, 'the file brought it back');
  });
  const filled = await asAdmin('HGET', 'instashop:filled', 'server');
  assert.ok(filled !== null && filled !== filledBefore, 'what the file may lack was written again');
});

test('killed and started again empty', async () => {
  await under(async () => {
    await kill();
    rmSync(join(redis.dataDir, 'data'), { recursive: true });
    await redis.server.start();
  });
});

test('emptied, several times', async () => {
  const faults = await under(async () => {
    for (let times = 0; times < 3; times++) {
      await asAdmin('FLUSHALL');
      await systemClock.sleep(300);
    }
  });
  assert.ok(faults.length >= 3, `${faults.length} faults`);
});

test('the feed alone is lost, or trimmed behind a listener that is away', async () => {
  await under(async () => {
    await asAdmin('DEL', 'instashop:changes');
    await systemClock.sleep(300);
    await asAdmin('CLIENT', 'KILL', 'USER', DASHBOARD_USER);
    await asAdmin('XTRIM', 'instashop:changes', 'MAXLEN', '1');
  });
});

test('every connection is cut, again and again', async () => {
  await under(async () => {
    for (let times = 0; times < 10; times++) {
      await asAdmin('CLIENT', 'KILL', 'SKIPME', 'yes', 'TYPE', 'normal');
      await systemClock.sleep(100);
    }
  });
});

test('frozen for 10 s: said within 4 s, then it goes on', async () => {
  const faults = await under(async () => {
    redis.server.kill('SIGSTOP');
    await systemClock.sleep(10_000);
    redis.server.kill('SIGCONT');
  });
  assert.ok(
    faults.some((message) => /is away: no answer for 3000 ms/.test(message)),
    faults.join('; '),
  );
});
