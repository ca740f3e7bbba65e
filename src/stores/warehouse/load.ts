import type pg from 'pg';
import { INSERT_EVENTS, SEPARATOR } from './load-sql.ts';
import {
  type LoadedOffset,
  type LoadRecord,
  type LoadResult,
  type Rejected,
  topicMadeAnew,
  type Warehouse,
} from './warehouse.ts';

/** The warehouse's `load`, on a connection that nothing else uses meanwhile. */
export async function loadBatch(
  client: pg.ClientBase,
  records: readonly LoadRecord[],
  offsets: readonly LoadedOffset[],
  refuse: Parameters<Warehouse['load']>[2],
): Promise<LoadResult> {
  await client.query('BEGIN');
  try {
    const stored = await lockOffsets(client, offsets);
    const fresh = records.filter(({ topic, partition, offset }) => {
      const next = stored.get(`${topic}/${partition}`);
      if (next === undefined) throw new Error(`record of ${topic}/${partition} without an offset to move`);
      return offset >= next;
    });
    const rejected: Rejected[] = [];
    const inserted = await insert(client, fresh, rejected);
    if (rejected.length > 0) await refuse(rejected);
    await moveOffsets(client, offsets);
    await client.query('COMMIT');
    const repeated = records.length - inserted - rejected.length;
    return { inserted, repeated, rejected: rejected.length };
  } catch (error) {
    await client.query('ROLLBACK').catch(() => {});
    throw error;
  }
}

const columns = (offsets: readonly LoadedOffset[]) => [
  offsets.map(({ topic }) => topic),
  offsets.map(({ partition }) => partition),
  offsets.map(({ topicId }) => topicId),
  offsets.map(({ nextOffset }) => nextOffset),
];

/** Locks the partitions' rows in one order for all loaders, adding those that are missing. */
async function lockOffsets(
  client: pg.ClientBase,
  offsets: readonly LoadedOffset[],
): Promise<ReadonlyMap<string, number>> {
  const [topics, partitions, topicIds] = columns(offsets);
  const lock = {
    name: 'lock_offsets',
    text: `SELECT topic, partition, topic_id, next_offset FROM loaded_offsets
           WHERE (topic, partition) IN (SELECT * FROM unnest($1::text[], $2::int[]))
           ORDER BY topic, partition FOR UPDATE`,
    values: [topics, partitions],
  };
  let { rows } = await client.query<OffsetRow>(lock);
  if (rows.length < offsets.length) {
    await client.query(
      `INSERT INTO loaded_offsets SELECT *, 0 FROM unnest($1::text[], $2::int[], $3::text[])
       ORDER BY 1, 2 ON CONFLICT DO NOTHING`,
      [topics, partitions, topicIds],
    );
    ({ rows } = await client.query<OffsetRow>(lock));
  }
  const stored = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row]));
  for (const { topic, partition, topicId } of offsets) {
    if (stored.get(`${topic}/${partition}`)?.topic_id !== topicId) throw topicMadeAnew(topic);
  }
  return new Map(rows.map((row) => [`${row.topic}/${row.partition}`, Number(row.next_offset)]));
}

interface OffsetRow {
  topic: string;
  partition: number;
  topic_id: string;
  next_offset: string;
}

async function moveOffsets(client: pg.ClientBase, offsets: readonly LoadedOffset[]): Promise<void> {
  await client.query({
    name: 'move_offsets',
    text: `UPDATE loaded_offsets AS kept SET next_offset = greatest(kept.next_offset, moved.next_offset)
           FROM unnest($1::text[], $2::int[], $3::text[], $4::bigint[])
             AS moved (topic, partition, topic_id, next_offset)
           WHERE (kept.topic, kept.partition) = (moved.topic, moved.partition)`,
    values: columns(offsets),
  });
}

/**
 * Inserts the records and resolves with how many were new. Where the database refuses a batch for its content, halves
 * of it are tried, down to the records that are the cause: a handful of statements for each.
 */
async function insert(
  client: pg.ClientBase,
  records: readonly LoadRecord[],
  rejected: Rejected[],
): Promise<number> {
  if (records.length === 0) return 0;
  await client.query('SAVEPOINT batch');
  try {
    const json = records.map((record) => record.json).join(SEPARATOR);
    const { rows } = await client.query<{ added: number }>({
      name: 'insert_events',
      text: INSERT_EVENTS,
      values: [json],
    });
    return rows[0]!.added;
  } catch (error) {
    if (!isContentError(error)) throw error;
    await client.query('ROLLBACK TO SAVEPOINT batch; RELEASE SAVEPOINT batch');
    if (records.length === 1) {
      rejected.push({ record: records[0]!, reason: reasonOf(error), message: error.message });
      return 0;
    }
    const middle = records.length >> 1;
    const before = await insert(client, records.slice(0, middle), rejected);
    return before + (await insert(client, records.slice(middle), rejected));
  }
}

type ContentError = Error & { readonly code: string; readonly detail?: string };

/** Data exceptions (22) and broken constraints (23): trying again cannot help. */
const isContentError = (error: unknown): error is ContentError =>
  error instanceof Error && 'code' in error && /^2[23]...$/.test(String(error.code));

/** 22P05: \u0000. 22021: bytes that are no character. Half a surrogate pair is a JSON syntax error to PostgreSQL. */
const reasonOf = ({ code, detail }: ContentError): Rejected['reason'] =>
  code === '22P05' || code === '22021' || /Unicode/.test(detail ?? '')
    ? 'invalid_text'
    : 'warehouse_rejected';
