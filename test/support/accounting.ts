import assert from 'node:assert/strict';
import { join } from 'node:path';
import { formatReport, type VerifyReport, verify } from '../../src/app/commands/verify.ts';
import { TOPICS } from '../../src/contracts/topics.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import { readAccounting } from '../../src/stages/metrics/sqlite-checkpoint.ts';
import { sqliteBroker } from '../../src/stores/broker/sqlite-broker.ts';
import type { CaptureMode } from '../../src/stores/shop/preflight.ts';
import { postgresWarehouse } from '../../src/stores/warehouse/postgres-warehouse.ts';

export interface AccountingOf {
  readonly shopUrl: string;
  readonly crmUrl: string;
  readonly dwhUrl: string;
  /** Holds `log` and `metrics`. */
  readonly dataDir: string;
  readonly capture?: CaptureMode;
  readonly waitMs?: number;
}

/** The accounting of a system with the embedded log and engine, whether it runs or not. */
export async function accountingOf(parts: AccountingOf): Promise<VerifyReport> {
  const { shopUrl, crmUrl, dwhUrl, dataDir, capture = 'logical', waitMs } = parts;
  const broker = sqliteBroker({ dir: join(dataDir, 'log'), clock: systemClock, log: silentLog });
  const warehouse = postgresWarehouse({ url: dwhUrl, clock: systemClock });
  try {
    await broker.createTopics(Object.values(TOPICS));
    return await verify({
      shopUrl,
      crmUrl,
      broker,
      warehouse,
      windows: async () => readAccounting(join(dataDir, 'metrics')),
      capture,
      mainCurrency: 'USD',
      warehouseRetentionDays: 400,
      clock: systemClock,
      ...(waitMs === undefined ? {} : { waitMs }),
    });
  } finally {
    await Promise.all([broker.close(), warehouse.close()]);
  }
}

/** Fails with the whole report where anything differs. */
export async function assertAccounting(parts: AccountingOf): Promise<VerifyReport> {
  const report = await accountingOf(parts);
  assert.equal(report.verdict, 'agree', formatReport(report));
  return report;
}
