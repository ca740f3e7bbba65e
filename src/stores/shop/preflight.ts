import pg from 'pg';
import type { Finding } from '../../lib/finding.ts';
import { FEED_COLUMNS, type ShopDatabase } from './changes.ts';
import { slotName } from './logical-feed.ts';

export type CaptureMode = 'logical' | 'polling';

const VERSION_MIN = 140_000;
/** Tables whose updates and deletes must carry the whole old row. */
const FULL_IDENTITY = ['transaction', 'transactiondetail', 'interaction'];

interface ServerFacts {
  readonly version: number;
  readonly wal_level: string;
  readonly can_replicate: boolean;
  readonly free_slots: number;
  readonly free_senders: number;
  readonly has_slot: boolean;
  readonly can_create: boolean;
}

/**
 * What keeps capture from reading this database in this mode, each with its remedy. Never throws for the server.
 * `creates`: this user is also to make what is missing there.
 */
export async function shopPreflight(
  url: string,
  database: ShopDatabase,
  mode: CaptureMode,
  { creates }: { readonly creates: boolean } = { creates: true },
): Promise<readonly Finding[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    return [unreachable(database, error as Error & { code?: string })];
  }
  try {
    const { rows } = await client.query<ServerFacts>(FACTS, [slotName(database)]);
    const tables = await tableFindings(client, database, mode);
    return [
      ...serverFindings(database, mode, { ...rows[0]!, can_create: rows[0]!.can_create || !creates }),
      ...tables,
    ];
  } finally {
    await client.end();
  }
}

const FACTS = `
  SELECT current_setting('server_version_num')::int AS version,
         current_setting('wal_level') AS wal_level,
         (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) AS can_replicate,
         current_setting('max_replication_slots')::int - (SELECT count(*)::int FROM pg_replication_slots) AS free_slots,
         current_setting('max_wal_senders')::int - (SELECT count(*)::int FROM pg_stat_replication) AS free_senders,
         EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1) AS has_slot,
         has_database_privilege(current_database(), 'CREATE') AS can_create`;

function unreachable(database: ShopDatabase, error: Error & { code?: string }): Finding {
  const option = database === 'instashop' ? '--shop-url' : '--crm-url';
  const [what, remedy] =
    error.code === '28P01' || error.code === '28000'
      ? ['refuses the user or password', `Correct the user or password in ${option}.`]
      : error.code === '3D000'
        ? ['does not exist on that server', `Create it, or correct the database in ${option}.`]
        : [
            `cannot be reached (${error.message})`,
            `Start the server, or correct host and port in ${option}.`,
          ];
  return { severity: 'error', what: `database ${database} ${what}`, remedy };
}

function serverFindings(database: ShopDatabase, mode: CaptureMode, facts: ServerFacts): readonly Finding[] {
  const findings: Finding[] = [];
  const error = (what: string, remedy: string) => findings.push({ severity: 'error', what, remedy });
  if (facts.version < VERSION_MIN) {
    error(
      `${database} is on PostgreSQL ${Math.floor(facts.version / 10_000)}`,
      'Use PostgreSQL 14 or newer.',
    );
  }
  if (!facts.can_create) {
    error(`this user may not create in ${database}`, `GRANT CREATE ON DATABASE to it, or run as the owner.`);
  }
  if (mode === 'polling') return findings;
  if (facts.wal_level !== 'logical') {
    error(
      `wal_level of ${database}'s server is ${facts.wal_level}`,
      `ALTER SYSTEM SET wal_level = 'logical', restart the server; or use --capture polling.`,
    );
  }
  if (!facts.can_replicate) {
    error(
      `this user of ${database} may not replicate`,
      'ALTER ROLE <user> REPLICATION; or use --capture polling.',
    );
  }
  if (!facts.has_slot && facts.free_slots < 1) {
    error(
      `no replication slot is free on ${database}'s server`,
      'Raise max_replication_slots and restart it.',
    );
  }
  if (facts.free_senders < 1) {
    error(`no WAL sender is free on ${database}'s server`, 'Raise max_wal_senders and restart it.');
  }
  return findings;
}

async function tableFindings(
  client: pg.Client,
  database: ShopDatabase,
  mode: CaptureMode,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  const wanted: Readonly<Record<string, readonly string[]>> = FEED_COLUMNS[database];
  for (const [table, columns] of Object.entries(wanted)) {
    const { rows } = await client.query<{ identity: string | null; columns: string[] | null }>(
      `SELECT (SELECT relreplident FROM pg_class WHERE oid = to_regclass($1)) AS identity,
              (SELECT array_agg(attname::text) FROM pg_attribute
                WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped) AS columns`,
      [table],
    );
    const { identity, columns: present } = rows[0]!;
    if (identity === null) {
      findings.push({
        severity: 'warning',
        what: `${database} has no table ${table}`,
        remedy: 'It is created at the start.',
      });
      continue;
    }
    const missing = columns.filter((column) => !present?.includes(column));
    if (missing.length > 0) {
      findings.push({
        severity: 'warning',
        what: `table ${table} of ${database} has no column ${missing.join(', ')}`,
        remedy: 'They are added at the start; existing columns are left alone.',
      });
    }
    if (mode === 'logical' && FULL_IDENTITY.includes(table) && identity !== 'f') {
      findings.push({
        severity: 'warning',
        what: `updates and deletes of ${table} do not carry the old row`,
        remedy: `It is set at the start; or run: ALTER TABLE ${table} REPLICA IDENTITY FULL.`,
      });
    }
  }
  return findings;
}
