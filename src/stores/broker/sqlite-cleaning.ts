// What leaves the log: superseded records of compacted topics, and old ones. In steps so small that no append waits
// long. A partition's newest record always stays: it says how far whoever writes the partition has come.

import type { Partition, SqliteLog } from './sqlite-log.ts';
import { nextTurn } from './wake.ts';

const STEP_RECORDS = 100;
const SIZE = 'length(value) + ifnull(octet_length(key), 0) + ifnull(octet_length(headers), 0)';
const SAVE = 'UPDATE _partitions SET start_offset = ?, cleaned = ?, bytes = bytes - ? WHERE id = ?';

export interface Retention {
  /** Records older than this go (by their timestamps, from the oldest record on). */
  readonly ageMs: number;
  /** Other ages, by topic. */
  readonly ageMsByTopic: Readonly<Record<string, number>>;
  /** A topic that is not compacted keeps at most about this many bytes, its partitions equal shares of it. */
  readonly topicBytes: number;
}

/** One round over all partitions; ends early when the signal aborts. */
export async function cleanLog(
  log: SqliteLog,
  { ageMs, ageMsByTopic, topicBytes }: Retention,
  nowMs: number,
  signal: AbortSignal,
): Promise<void> {
  for (const partition of [...log.all()]) {
    const share = topicBytes / log.partitions(partition.topic).length;
    const bytesMax = partition.compacted ? Number.POSITIVE_INFINITY : share;
    const oldestMs = nowMs - (ageMsByTopic[partition.topic] ?? ageMs);
    const more = () =>
      (partition.compacted && compactStep(log, partition)) ||
      retentionStep(log, partition, oldestMs, bytesMax);
    while (!signal.aborted && more()) await nextTurn();
  }
}

/** Looks at the next new records and removes what came before with the same keys. false: nothing is left to do. */
function compactStep(log: SqliteLog, partition: Partition): boolean {
  if (partition.cleaned >= partition.end) return false;
  const { table, id } = partition;
  log.update(false, () => {
    const { cleaned, start } = partition;
    const until = Math.min(cleaned + STEP_RECORDS, partition.end);
    const newest = log
      .prepare(
        `SELECT key, max("offset") FROM ${table} WHERE "offset" >= ? AND "offset" < ? AND key NOT NULL GROUP BY key`,
      )
      .all(cleaned, until) as unknown as readonly (readonly [string, number])[];
    const remove = log.prepare(`DELETE FROM ${table} WHERE key = ? AND "offset" < ? RETURNING ${SIZE}`);
    let bytes = 0;
    for (const [key, offset] of newest) {
      for (const [size] of remove.all(key, offset) as unknown as readonly (readonly [number])[])
        bytes += size;
    }
    log.prepare(SAVE).run(start, until, bytes, id);
  });
  return true;
}

/** Removes the oldest records that are too old or too many. false: nothing was to be removed. */
function retentionStep(log: SqliteLog, partition: Partition, oldestMs: number, bytesMax: number): boolean {
  if (expired(log, partition, oldestMs, bytesMax, 1).until === null) return false;
  log.update(false, () => {
    const { until, bytes } = expired(log, partition, oldestMs, bytesMax, STEP_RECORDS);
    if (until === null) return;
    log.prepare(`DELETE FROM ${partition.table} WHERE "offset" < ?`).run(until);
    log.prepare(SAVE).run(until, Math.max(partition.cleaned, until), bytes, partition.id);
  });
  return true;
}

function expired(
  log: SqliteLog,
  partition: Partition,
  oldestMs: number,
  bytesMax: number,
  recordsMax: number,
) {
  const rows = log
    .prepare(`
      SELECT "offset", timestamp, ${SIZE} FROM ${partition.table} WHERE "offset" < ? ORDER BY "offset" LIMIT ?`)
    .all(partition.end - 1, recordsMax) as unknown as readonly (readonly [number, number, number])[];
  let until: number | null = null;
  let bytes = 0;
  for (const [offset, timestamp, size] of rows) {
    if (timestamp >= oldestMs && partition.bytes - bytes <= bytesMax) break;
    until = offset + 1;
    bytes += size;
  }
  return { until, bytes };
}
