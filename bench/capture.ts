// Capture: the shop's change stream to durable events in the log, next to pg_recvlogical reading the same changes.
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { startPostgres } from '../src/services/postgres/postgres.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import { logicalFeed, PUBLICATION } from '../src/stores/shop/logical-feed.ts';
import {
  type Bench,
  keepBest,
  PEER_SLOT,
  prepare,
  query,
  ROWS_PER_SALE,
  runStage,
  SALES,
  type Times,
  worst,
} from './capture-shop.ts';
import type { BenchResult } from './result.ts';

const ROUNDS = 3;

/** Best of some rounds, taken in turns, so that a busy machine slows all alike. */
export async function bench(): Promise<BenchResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  const settings = { fsync: 'off', max_wal_size: '2GB' };
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    port: 0,
    settings,
    log: silentLog,
  });
  try {
    const run: Bench = { postgres, url: postgres.url('instashop'), folder };
    const end = await prepare(run);
    const best = { log: worst(), json: worst(), peer: worst() };
    for (let round = 0; round < ROUNDS; round++) {
      keepBest(best.peer, await receive(run, end));
      keepBest(best.json, await captureAll(run, false));
      keepBest(best.log, await captureAll(run, true));
    }
    return results(best);
  } finally {
    await postgres.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

function results(best: Readonly<Record<'log' | 'json' | 'peer', Times>>): BenchResult[] {
  const rows = SALES * ROWS_PER_SALE;
  const perSecond = ({ wallMs }: Times) => Math.round((rows / wallMs) * 1_000);
  const peer = Number.isFinite(best.peer.wallMs)
    ? (times: Times) => ({
        peer: 'pg_recvlogical, same changes, to /dev/null',
        peerValue: perSecond(best.peer),
        ratio: best.peer.wallMs / times.wallMs,
      })
    : () => ({ peer: 'pg_recvlogical is not installed' });
  const cpu = (name: string, { cpuMs }: Times): BenchResult => ({
    name,
    value: Math.round((cpuMs / rows) * 1e5) / 100,
    unit: 'CPU s per million rows',
  });
  return [
    {
      name: 'capture: shop to durable log',
      value: perSecond(best.log),
      unit: 'rows/s',
      ...peer(best.log),
      target: '>= 0.7 of pg_recvlogical, >= 60,000 rows/s',
    },
    { name: 'capture: shop to JSON', value: perSecond(best.json), unit: 'rows/s', ...peer(best.json) },
    cpu('capture: its process, to the log', best.log),
    cpu('capture: its process, to JSON', best.json),
  ];
}

async function captureAll(run: Bench, toLog: boolean): Promise<Times> {
  const dir = join(run.folder, 'round');
  cpSync(join(run.folder, 'start'), dir, { recursive: true });
  const log = sqliteBroker({ dir, clock: systemClock, log: silentLog });
  const broker = toLog
    ? log
    : {
        recordBytesMax: log.recordBytesMax,
        claim: async () => ({ append: async () => {} }),
        partitions: log.partitions.bind(log),
        read: log.read.bind(log),
      };
  // What is read is never acknowledged, so that the next round reads it again.
  const feed = logicalFeed({ url: run.url, database: 'instashop', clock: systemClock, log: silentLog });
  const times = await runStage(run, dir, broker, { ...feed, ack: () => {} }, (sales) => sales >= SALES);
  await feed.close();
  await log.close();
  rmSync(dir, { recursive: true, force: true });
  return times;
}

/** pg_recvlogical on a copy of the slot made before the sales; null where it is not installed. */
async function receive({ url }: Bench, end: string): Promise<Times | null> {
  const slot = `${PEER_SLOT}_round`;
  await query(url, `SELECT pg_copy_logical_replication_slot('${PEER_SLOT}', '${slot}')`);
  const options = ['proto_version=1', `publication_names=${PUBLICATION}`].flatMap((option) => ['-o', option]);
  const args = ['-d', url, '--slot', slot, '--start', '--no-loop', '-f', '/dev/null', '--endpos', end];
  const cpu = childCpuMs();
  const start = performance.now();
  try {
    await promisify(execFile)('pg_recvlogical', [...args, ...options], { timeout: 120_000 });
    return { wallMs: performance.now() - start, cpuMs: childCpuMs() - cpu };
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return null;
    throw error;
  } finally {
    await query(url, `SELECT pg_drop_replication_slot('${slot}')`);
  }
}

/** CPU time of children that have ended (Linux; elsewhere not a number). */
function childCpuMs(): number {
  try {
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[13]) + Number(fields[14])) * 10;
  } catch {
    return Number.NaN;
  }
}

if (import.meta.main) console.table(await bench());
