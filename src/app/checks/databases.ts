import pg from 'pg';
import type { Finding } from '../../lib/finding.ts';
import { shopPreflight } from '../../stores/shop/preflight.ts';
import type { StageName } from '../stage-names.ts';
import { crmUrl, masked } from '../urls.ts';
import type { Check } from './checks.ts';

const SHOP_STAGES: readonly StageName[] = ['generator', 'capture'];
const WAREHOUSE_STAGES: readonly StageName[] = ['loader', 'dashboard'];

/** Whether the databases that the user named can be used as they are wanted. */
export const databasesCheck: Check = async ({ options, stages }) => {
  if (options.profile !== 'embedded') return [];
  const found: Promise<readonly Finding[]>[] = [];
  if (options.shopUrl !== null && stages.some((stage) => SHOP_STAGES.includes(stage))) {
    found.push(shopPreflight(options.shopUrl, 'instashop', options.capture));
    found.push(shopPreflight(crmUrl(options)!, 'crm_db', options.capture));
  }
  if (options.dwhUrl !== null && stages.some((stage) => WAREHOUSE_STAGES.includes(stage))) {
    found.push(warehouseFindings(options.dwhUrl));
  }
  return (await Promise.all(found)).flat();
};

const VERSION_MIN = 140_000;

async function warehouseFindings(url: string): Promise<readonly Finding[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  try {
    await client.connect();
    const { rows } = await client.query<{ version: number; may_create: boolean }>(
      `SELECT current_setting('server_version_num')::int AS version,
              has_schema_privilege('public', 'CREATE') AS may_create`,
    );
    const { version, may_create: mayCreate } = rows[0]!;
    if (version < VERSION_MIN) {
      return [
        { severity: 'error', what: 'the warehouse is older than PostgreSQL 14', remedy: 'Use 14 or newer.' },
      ];
    }
    if (mayCreate) return [];
    const remedy = 'GRANT CREATE ON SCHEMA public TO this user.';
    return [{ severity: 'error', what: 'this user may not create tables in the warehouse', remedy }];
  } catch (error) {
    const what = `the warehouse ${masked(url)} cannot be used: ${(error as Error).message}`;
    return [{ severity: 'error', what, remedy: 'Start the server, or correct --dwh-url.' }];
  } finally {
    await client.end();
  }
}
