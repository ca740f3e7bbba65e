// `status --verify`: the accounting of a live system, each pair of places compared at one exact cut.
import { EVENT_TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Accounting } from '../../stages/metrics/engine.ts';
import type { Broker } from '../../stores/broker/broker.ts';
import type { CaptureMode } from '../../stores/shop/preflight.ts';
import { lsnText } from '../../stores/shop/replication-connection.ts';
import { type ShopCut, type ShopSums, type ShopTable, shopCut } from '../../stores/shop/shop-accounting.ts';
import type { Warehouse } from '../../stores/warehouse/warehouse.ts';
import { waitForCapture, waitForEnrichment } from '../accounting/catch-up.ts';
import { type Comparison, compare, notCompared } from '../accounting/compare.ts';
import { LogFold } from '../accounting/fold.ts';
import { type Letters, readLetters } from '../accounting/letters.ts';
import { readPartitions, statesOf } from '../accounting/read-log.ts';
import type { VerifyReport } from '../accounting/report.ts';
import { logScope, type Scope, warehouseScope } from '../accounting/scope.ts';
import { shopSide, warehouseSide, windowsSide } from '../accounting/sides.ts';

export { formatReport, reportJson, type VerifyReport } from '../accounting/report.ts';

export interface VerifyOptions {
  readonly shopUrl: string;
  readonly crmUrl: string;
  readonly broker: Pick<Broker, 'read' | 'partitions' | 'committed'>;
  readonly warehouse: Pick<Warehouse, 'accounting'>;
  /** What the windows add up to, as last saved; null: there is nothing yet. */
  readonly windows: () => Promise<Accounting | null>;
  readonly capture: CaptureMode;
  readonly mainCurrency: string;
  readonly warehouseRetentionDays: number;
  readonly clock: Clock;
  /** How long capture, and then enrichment, may take to reach the cut. Default 30 s. */
  readonly waitMs?: number;
}

const WAIT_MS = 30_000;
/** In polling mode the cut is only as good as the moment is quiet: so many moments are tried. */
const QUIET_ATTEMPTS = 3;
const QUIET_WAIT_MS = 2_000;

/**
 * Compares shop, log, warehouse and windows; safe and exact while everything runs. What capture has not read within
 * the wait is compared all the same, and said. Rejects when a store cannot be read, with a UserError where a long
 * transaction in the shop keeps a cut from being made.
 */
export async function verify(options: VerifyOptions): Promise<VerifyReport> {
  for (let attempt = 1; ; attempt++) {
    const report = await verifyOnce(options);
    const isLast = options.capture === 'logical' || attempt === QUIET_ATTEMPTS;
    if (report.verdict === 'agree' || isLast) return report;
    await options.clock.sleep(QUIET_WAIT_MS);
  }
}

async function verifyOnce(options: VerifyOptions): Promise<VerifyReport> {
  const { clock, broker, capture: mode, mainCurrency, waitMs = WAIT_MS } = options;
  const common = { mode, mainCurrency, clock };
  const open: ShopCut[] = [];
  try {
    const instashop = await shopCut({ ...common, url: options.shopUrl, database: 'instashop' });
    open.push(instashop);
    const crm = await shopCut({ ...common, url: options.crmUrl, database: 'crm_db' });
    open.push(crm);
    const at = clock.now();
    const notes = await Promise.all([
      waitForCapture('instashop', instashop, clock, waitMs),
      waitForCapture('crm_db', crm, clock, waitMs),
    ]);
    notes.push(await waitForEnrichment(broker, clock, waitMs));
    const warehouse = await options.warehouse.accounting();
    const windows = await options.windows();
    // The log's ends, then the letters: they hold everything that the offsets above have passed.
    const partitions = await statesOf(broker, EVENT_TOPICS);
    const letters = await readLetters(broker);
    const leftOut = letters.tooLarge;
    const sales = await instashop.sums('sales', [...leftOut.sales]);
    const items = await instashop.sums('items', [...leftOut.sales]);
    const visits = await crm.sums('visits', [...leftOut.visits]);
    await Promise.all(open.splice(0).map((cut) => cut.close()));
    const fold = new LogFold(
      {
        instashop: instashop.commit,
        crm: crm.commit,
        warehouse: warehouse.offsets,
        windows: windows?.offsets ?? new Map(),
      },
      letters,
    );
    await readPartitions(broker, partitions, (record) => fold.take(record));
    const scope = logScope(partitions, fold.oldest, at);
    const comparisons = [
      ...withShop({ sales, items, visits }, fold, letters, scope),
      ...withWarehouse(warehouse, fold, options, scope),
      ...withWindows(windows, fold, scope),
    ];
    return reportOf({ at, cuts: { instashop, crm_db: crm }, comparisons, fold, letters, notes, mode });
  } finally {
    await Promise.all(open.map((cut) => cut.close()));
  }
}

function withShop(
  shop: Readonly<Record<ShopTable, ShopSums>>,
  fold: LogFold,
  letters: Letters,
  { includes, whole, notes }: Scope,
): Comparison[] {
  const log = {
    sales: fold.shop.sales.sums,
    items: fold.shop.items.sums,
    visits: fold.shop.visits.sums(letters.tooLarge.visits),
  };
  return (['sales', 'items', 'visits'] as const).map((what) => {
    const { refused } = shop[what];
    const leftOut = what === 'visits' ? letters.tooLarge.visits.size : letters.tooLarge.sales.size;
    return compare({
      what,
      left: ['shop', shopSide(shop[what])],
      right: ['log', log[what]],
      scope: includes,
      whole,
      notes: [
        ...notes,
        ...(refused > 0
          ? [`${refused} rows of the shop that no event can hold are left out (dead letters)`]
          : []),
        ...(leftOut > 0
          ? [`${leftOut} ${what === 'visits' ? 'visits' : 'sales'} too large for a record are left out`]
          : []),
      ],
    });
  });
}

function withWarehouse(
  accounting: Awaited<ReturnType<Warehouse['accounting']>>,
  fold: LogFold,
  { warehouseRetentionDays: days, clock }: VerifyOptions,
  scope: Scope,
): Comparison[] {
  const side = warehouseSide(accounting);
  return (['sales', 'items', 'events'] as const).map((what) => {
    const log = fold.warehouse[what].sums;
    const { includes, whole, notes } = warehouseScope(scope, fold.oldest, days, clock.now(), log.keys());
    return compare({
      what,
      left: ['log', log],
      right: ['warehouse', side[what]],
      scope: includes,
      whole,
      notes,
    });
  });
}

function withWindows(accounting: Accounting | null, fold: LogFold, { includes, notes }: Scope): Comparison[] {
  const whats = ['sales', 'items', 'behavior', 'records'] as const;
  if (accounting === null) {
    return whats.map((what) => notCompared(what, 'log', 'windows', 'the windows have not been saved yet'));
  }
  const side = windowsSide(accounting);
  return whats.map((what) =>
    compare({
      what,
      left: ['log', fold.windows[what].sums],
      right: ['windows', side[what]],
      scope: includes,
      whole: false,
      notes,
    }),
  );
}

interface ReportParts {
  readonly at: number;
  readonly cuts: Readonly<Record<'instashop' | 'crm_db', ShopCut>>;
  readonly comparisons: readonly Comparison[];
  readonly fold: LogFold;
  readonly letters: Letters;
  readonly notes: readonly (string | null)[];
  readonly mode: CaptureMode;
}

function reportOf({ at, cuts, comparisons, fold, letters, notes, mode }: ReportParts): VerifyReport {
  const topics = fold.once.result();
  const agrees =
    comparisons.every(({ verdict }) => verdict === 'agree') && topics.every(({ repeats }) => repeats === 0);
  const place = ({ commit }: ShopCut) => (commit === null ? null : lsnText(commit));
  return {
    verdict: agrees ? 'agree' : 'DIFFER',
    at,
    cut: { instashop: place(cuts.instashop), crm_db: place(cuts.crm_db) },
    comparisons,
    topics,
    deadLetters: Object.fromEntries(letters.counts),
    notes: [
      ...notes.filter((note) => note !== null),
      ...(fold.unreadable > 0 ? [`${fold.unreadable} records of the log are no JSON`] : []),
      ...(mode === 'polling' && !agrees
        ? [
            'With --capture polling only a quiet moment can be compared: pause the writers, then verify again.',
          ]
        : []),
    ],
  };
}
