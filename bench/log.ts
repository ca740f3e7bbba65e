// How much the log costs beside SQLite alone, same records and same fsync policy: `node bench/log.ts`.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { systemClock } from '../src/lib/clock.ts';
import { silentLog } from '../src/lib/log.ts';
import { positionOf } from '../src/lib/position.ts';
import type { Broker, OutgoingRecord } from '../src/stores/broker/broker.ts';
import { sqliteBroker } from '../src/stores/broker/sqlite-broker.ts';
import type { BenchResult } from './result.ts';

const RECORDS = 60_000;
const CALL = 1_000;
const VALUE_BYTES = 400;
const PARTITIONS = 6;
const ROUNDS = 4;
const TOPIC = { name: 'bench', partitions: PARTITIONS, compacted: false };
const WAKES = 300;

interface Times {
  append: number;
  read: number;
}

/** Best of some rounds, taken in turns, so that a busy machine slows both alike. */
export async function bench(): Promise<readonly BenchResult[]> {
  const calls = makeCalls();
  const ours: Times = { append: Number.POSITIVE_INFINITY, read: Number.POSITIVE_INFINITY };
  const bare: Times = { ...ours };
  for (let round = 0; round < ROUNDS; round++) {
    keepBest(bare, await inFolder((dir) => bareTimes(dir, calls)));
    keepBest(ours, await inFolder((dir) => withBroker(dir, (broker) => ourTimes(broker, calls))));
  }
  const wakes = await inFolder((dir) =>
    withBroker(dir, (broker) => wakeTimes(broker, calls[0]!.slice(0, 20))),
  );
  const perSecond = (ms: number): number => Math.round((RECORDS / ms) * 1_000);
  const figure = (name: 'append' | 'read', peer: string): BenchResult => ({
    name: `log: ${name}`,
    value: perSecond(ours[name]),
    unit: 'records/s',
    peer,
    peerValue: perSecond(bare[name]),
    ratio: bare[name] / ours[name],
  });
  return [
    figure('append', 'bare SQLite insert, one table, same fsync'),
    figure('read', 'bare SQLite select of the same bytes'),
    { name: 'log: append of 20 to a waiting reader, p50', value: percentile(wakes, 0.5), unit: 'ms' },
    { name: 'log: append of 20 to a waiting reader, p99', value: percentile(wakes, 0.99), unit: 'ms' },
  ];
}

const makeCalls = (): readonly OutgoingRecord[][] =>
  Array.from({ length: RECORDS / CALL }, (_, call) =>
    Array.from({ length: CALL }, (_, i) => ({
      topic: TOPIC.name,
      partition: i % PARTITIONS,
      key: String(call * CALL + i),
      value: Buffer.alloc(VALUE_BYTES, 'x'),
      headers: { position: positionOf(BigInt(call), i) },
    })),
  );

function keepBest(best: Times, times: Times): void {
  best.append = Math.min(best.append, times.append);
  best.read = Math.min(best.read, times.read);
}

const percentile = (sorted: readonly number[], part: number): number =>
  Math.round(sorted[Math.floor(sorted.length * part)]! * 100) / 100;

async function inFolder<T>(action: (dir: string) => T | Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-bench-'));
  try {
    return await action(dir);
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

async function withBroker<T>(dir: string, action: (broker: Broker) => Promise<T>): Promise<T> {
  const broker = sqliteBroker({ dir, clock: systemClock, log: silentLog });
  try {
    await broker.createTopics([TOPIC]);
    return await action(broker);
  } finally {
    await broker.close();
  }
}

async function ourTimes(broker: Broker, calls: readonly OutgoingRecord[][]): Promise<Times> {
  const start = performance.now();
  for (const records of calls) await broker.append(records);
  const append = performance.now() - start;
  let seen = 0;
  for await (const { records } of broker.read({
    topics: [TOPIC.name],
    group: 'g',
    signal: AbortSignal.timeout(60_000),
  })) {
    seen += records.length;
    if (seen === RECORDS) break;
  }
  if (seen !== RECORDS) throw new Error(`${seen} of ${RECORDS} records were read`);
  return { append, read: performance.now() - start - append };
}

function bareTimes(dir: string, calls: readonly OutgoingRecord[][]): Times {
  const db = new DatabaseSync(join(dir, 'bare.db'));
  db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000');
  db.exec('CREATE TABLE bare (id INTEGER PRIMARY KEY, value BLOB NOT NULL)');
  const insert = db.prepare('INSERT INTO bare (value) VALUES (?)');
  const start = performance.now();
  for (const records of calls) {
    db.exec('BEGIN IMMEDIATE');
    for (const { value } of records) insert.run(value);
    db.exec('COMMIT');
  }
  const append = performance.now() - start;
  const select = db.prepare('SELECT id, value FROM bare WHERE id > ? ORDER BY id LIMIT 2000');
  select.setReturnArrays(true);
  let last = 0;
  while (last < RECORDS) {
    const rows = select.all(last) as unknown as readonly (readonly [number, Uint8Array])[];
    last = rows.at(-1)![0];
  }
  const read = performance.now() - start - append;
  db.close();
  return { append, read };
}

/** From the call of `append` to a reader that has the records, one call every 5 ms; sorted. */
async function wakeTimes(broker: Broker, records: readonly OutgoingRecord[]): Promise<readonly number[]> {
  const stop = new AbortController();
  const arrived: number[] = [];
  let seen = 0;
  const reading = (async () => {
    for await (const batch of broker.read({ topics: [TOPIC.name], group: 'g', signal: stop.signal })) {
      seen += batch.records.length;
      if (seen % records.length === 0) arrived.push(performance.now());
    }
  })();
  const times: number[] = [];
  for (let i = 0; i < WAKES; i++) {
    const start = performance.now();
    await broker.append(records);
    await systemClock.sleep(5);
    times.push(arrived[i]! - start);
  }
  stop.abort();
  await reading;
  return times.sort((a, b) => a - b);
}

if (import.meta.main) console.table(await bench());
