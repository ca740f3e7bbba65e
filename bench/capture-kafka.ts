// Capture into three real brokers, next to Debezium embedded reading the same changes into the same brokers.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CAPTURE_STATE_TOPIC, TOPICS } from '../src/contracts/topics.ts';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { startPostgres } from '../src/services/postgres/postgres.ts';
import { logicalFeed, PUBLICATION } from '../src/stores/shop/logical-feed.ts';
import { openKafka, type TestKafka, testKafka } from '../test/support/kafka.ts';
import {
  type Bench,
  keepBest,
  makeShop,
  query,
  ROWS_PER_SALE,
  runStage,
  SALES,
  sell,
  type Times,
  takeSnapshot,
  worst,
} from './capture-shop.ts';
import type { BenchResult } from './result.ts';

const ROUNDS = 2;
const PEER_TOPIC = { name: 'bench_peer', partitions: TOPICS.transactions.partitions, compacted: false };
const PEER_DIR = fileURLToPath(new URL('./debezium/', import.meta.url));
const CACHE_DIR = join(homedir(), '.cache', 'instashop-live', 'debezium-peer');

/** Best of some rounds in turns, from the first row to the last acknowledgement. Needs Java, and Maven for the peer. */
export async function bench(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const settings = { fsync: 'off', max_wal_size: '2GB' };
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    port: 0,
    settings,
    log: silentLog,
  });
  const kafka = await testKafka();
  const broker = openKafka(kafka);
  try {
    const run: Bench = { postgres, url: postgres.url('instashop'), folder };
    await makeShop(run);
    await broker.createTopics([...Object.values(TOPICS), CAPTURE_STATE_TOPIC, PEER_TOPIC]);
    const dir = join(folder, 'capture');
    mkdirSync(dir);
    await takeSnapshot(run, dir, broker, CAPTURE_STATE_TOPIC);
    const best = { ours: worst(), peer: worst() };
    for (let round = 0; round < ROUNDS; round++) {
      const slot = `bench_peer_${round}`;
      await query(run.url, `SELECT pg_create_logical_replication_slot('${slot}', 'pgoutput')`);
      await sell(run.url);
      const feed = logicalFeed({ url: run.url, database: 'instashop', clock: systemClock, log: silentLog });
      keepBest(
        best.ours,
        await runStage(run, dir, broker, feed, (sales) => sales >= SALES, CAPTURE_STATE_TOPIC),
      );
      await feed.close();
      keepBest(best.peer, await debezium(run, kafka, slot));
      await query(run.url, `SELECT pg_drop_replication_slot('${slot}')`);
    }
    return results(best);
  } finally {
    await broker.close();
    await kafka.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function results({ ours, peer }: Readonly<Record<'ours' | 'peer', Times>>): BenchResult[] {
  const rows = SALES * ROWS_PER_SALE;
  const perSecond = ({ wallMs }: Times) => Math.round((rows / wallMs) * 1_000);
  return [
    {
      name: 'capture: shop to three brokers, all in-sync replicas',
      value: perSecond(ours),
      unit: 'rows/s',
      peer: 'Debezium embedded, same changes, same brokers',
      peerValue: perSecond(peer),
      ratio: peer.wallMs / ours.wallMs,
      target: '>= 2 of Debezium, >= 60,000 rows/s',
    },
    {
      name: 'capture: its process, to three brokers',
      value: Math.round((ours.cpuMs / rows) * 1e5) / 100,
      unit: 'CPU s per million rows',
    },
  ];
}

async function debezium({ postgres }: Bench, kafka: TestKafka, slot: string): Promise<Times> {
  const { user, password, port } = postgres;
  const child = spawn('java', ['-Xmx1g', '-cp', `${peerClasses()}:${join(CACHE_DIR, 'lib', '*')}`, 'Peer'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      PEER_ROWS: String(SALES * ROWS_PER_SALE),
      PEER_TOPIC: PEER_TOPIC.name,
      PEER_BROKERS: kafka.brokers.join(','),
      PEER_KAFKA_USER: kafka.admin.user,
      PEER_KAFKA_PASSWORD: kafka.admin.password,
      PEER_PG_PORT: String(port),
      PEER_PG_USER: user,
      PEER_PG_PASSWORD: password,
      PEER_PG_DATABASE: 'instashop',
      PEER_SLOT: slot,
      PEER_PUBLICATION: PUBLICATION,
    },
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(child, 'close');
  const wallMs = Number(said.trim());
  if (!(wallMs > 0)) throw new Error(`the Debezium peer failed: ${said}`);
  return { wallMs, cpuMs: Number.NaN };
}

/** Fetched and compiled once. */
function peerClasses(): string {
  const classes = join(CACHE_DIR, 'classes');
  if (existsSync(join(classes, 'Peer.class'))) return classes;
  const lib = join(CACHE_DIR, 'lib');
  execFileSync(
    'mvn',
    [
      '-q',
      '-B',
      '-f',
      PEER_DIR,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${lib}`,
    ],
    { stdio: 'inherit' },
  );
  mkdirSync(classes, { recursive: true });
  execFileSync('javac', ['-d', classes, '-cp', join(lib, '*'), join(PEER_DIR, 'Peer.java')], {
    stdio: 'inherit',
  });
  return classes;
}

if (import.meta.main) console.table(await bench());
