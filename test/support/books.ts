// A second opinion, not made of our code: what the shop has, by SQL, against what every later place has.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import type { LiveSnapshot } from '../../src/contracts/live.ts';

/** What is counted → how much of it, as text: easily compared and shown. */
type Account = Map<string, string>;

export interface Books {
  /** Sales in the shop. */
  readonly sales: number;
  /** Where two places differ; empty: all agree. */
  readonly differences: readonly string[];
}

const STATUSES = ['completed', 'pending', 'failed', 'refunded', 'cancelled', 'other'];

/**
 * Compares shop, log, warehouse, windows and, when given, the page. Also: positions rise in each partition of the log,
 * no event stands in it twice, and nothing was put aside.
 */
export async function compareBooks(dataDir: string, page: LiveSnapshot | null): Promise<Books> {
  const shop = await shopAccount(dataDir);
  const log = readLog(dataDir);
  const warehouse = await warehouseAccount(dataDir);
  const windows = windowsAccount(log.windows);
  const differences = [
    ...log.faults,
    ...compare('log', shop, log.account),
    ...compare('warehouse', shop, warehouse.account),
    ...compare(
      'windows',
      withoutIds(shop, () => true),
      windows,
    ),
    ...(page === null ? [] : compare('page', withoutIds(shop, isOnPage), pageAccount(page))),
  ];
  const events = [...log.ids.values()].reduce((sum, { size }) => sum + size, 0);
  for (const [name, rows] of warehouse.rows) {
    if (rows !== events) differences.push(`warehouse: ${rows} ${name}, the log has ${events} events`);
  }
  return { sales: total(shop), differences };
}

/** Runs SQL in a database of the embedded PostgreSQL, as its owner. */
export async function query(dataDir: string, database: string, sql: string): Promise<unknown[][]> {
  const { port, user, password } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8'));
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  // The server may be restarted meanwhile: the query's own rejection tells.
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query<unknown[]>({ text: sql, rowMode: 'array' })).rows;
  } finally {
    await client.end();
  }
}

const amount = (count: unknown, cents: unknown, ids: unknown): string => `${count} for ${cents} ids ${ids}`;

async function shopAccount(dataDir: string): Promise<Account> {
  const account: Account = new Map();
  const sales = await query(
    dataDir,
    'instashop',
    `SELECT 'sales ' || status, count(*), sum(total_amount * 100)::bigint, sum(transaction_id)
     FROM transaction GROUP BY status
     UNION ALL
     SELECT 'items ' || status, count(*), sum(quantity * unit_price * 100)::bigint, sum(transaction_detail_id)
     FROM transaction JOIN transactiondetail USING (transaction_id) GROUP BY status`,
  );
  for (const [name, count, cents, ids] of sales) account.set(String(name), amount(count, cents, ids));
  const visits = await query(
    dataDir,
    'crm_db',
    'SELECT interaction_type, count(*) FROM interaction GROUP BY interaction_type',
  );
  for (const [name, count] of visits) account.set(`visits ${name}`, String(count));
  return account;
}

interface Logged {
  readonly account: Account;
  readonly ids: ReadonlyMap<string, ReadonlySet<string>>;
  /** Newest version of each value of topic `metrics`. */
  readonly windows: Iterable<WindowValue>;
  readonly faults: readonly string[];
}

interface WindowValue {
  readonly metric: string;
  readonly group: Readonly<Record<string, unknown>>;
  readonly events: number;
  readonly values: Readonly<Record<string, number>>;
}

interface LoggedEvent {
  readonly event_id: string;
  readonly op: string;
  readonly transaction_id: number;
  readonly transaction_detail_id?: number;
  readonly [field: string]: unknown;
}

const EVENT_TOPICS = ['transactions', 'transaction_items', 'user_behavior', 'searches', 'cart_events'];

function readLog(dataDir: string): Logged {
  const db = new DatabaseSync(join(dataDir, 'log', 'log.db'), { readOnly: true, timeout: 5_000 });
  try {
    db.exec('BEGIN');
    const ledger = new Ledger();
    const faults: string[] = [];
    const ids = new Map(EVENT_TOPICS.map((topic) => [topic, readEvents(db, topic, ledger, faults)]));
    const windows = new Map<string, WindowValue>();
    for (const { key, value } of db.prepare('SELECT key, value FROM metrics').iterate()) {
      const read = JSON.parse(String(value)) as WindowValue;
      if ((windows.get(String(key))?.events ?? -1) < read.events) windows.set(String(key), read);
    }
    const letters = Number(db.prepare('SELECT count(*) AS n FROM dead_letters').get()!['n']);
    if (letters > 0) faults.push(`log: ${letters} dead letters`);
    return { account: ledger.account(), ids, windows: windows.values(), faults };
  } finally {
    db.close();
  }
}

function readEvents(db: DatabaseSync, topic: string, ledger: Ledger, faults: string[]): Set<string> {
  const ids = new Set<string>();
  const positions: string[] = [];
  const rows = db.prepare(`SELECT partition, headers, value FROM "${topic}" ORDER BY partition, "offset"`);
  for (const row of rows.iterate()) {
    const event = JSON.parse(String(row['value'])) as LoggedEvent;
    const { position } = JSON.parse(String(row['headers'])) as { position: string };
    const partition = Number(row['partition']);
    if (position <= (positions[partition] ?? ''))
      faults.push(`log: ${topic} holds position ${position} twice`);
    if (ids.has(event.event_id)) faults.push(`log: ${topic} holds event ${event.event_id} twice`);
    positions[partition] = position;
    ids.add(event.event_id);
    ledger.add(topic, event);
  }
  return ids;
}

/** The signed ledger of the events. */
class Ledger {
  readonly #sums = new Map<string, [count: number, cents: number, ids: number]>();

  add(topic: string, event: LoggedEvent): void {
    if (topic === 'transactions') {
      if (event.op === 'items_changed') return;
      this.#enter('sales', event['status'], 1, event['total_amount_minor'], event.transaction_id);
      const before = event['previous_status'];
      this.#enter('sales', before, -1, event['previous_total_amount_minor'], event.transaction_id);
    } else if (topic === 'transaction_items') {
      const id = event.transaction_detail_id!;
      this.#enter('items', event['transaction_status'], 1, event['amount_minor'], id);
      this.#enter('items', event['previous_transaction_status'], -1, event['previous_amount_minor'], id);
    } else {
      this.#enter('visits', event['interaction_type'], 1, 0, 0);
    }
  }

  #enter(kind: string, what: unknown, sign: number, cents: unknown, id: number): void {
    if (what === null) return;
    const name = `${kind} ${what}`;
    const sum = this.#sums.get(name) ?? [0, 0, 0];
    this.#sums.set(name, [sum[0] + sign, sum[1] + sign * Number(cents), sum[2] + sign * id]);
  }

  account(): Account {
    return new Map(
      [...this.#sums]
        .filter(([, [count]]) => count !== 0)
        .map(([name, [count, ...rest]]) => [
          name,
          name.startsWith('visits') ? String(count) : amount(count, ...rest),
        ]),
    );
  }
}

async function warehouseAccount(dataDir: string): Promise<{ account: Account; rows: [string, number][] }> {
  const entries = await query(
    dataDir,
    'dwh_db',
    `SELECT CASE kind WHEN 'transaction' THEN 'sales ' ELSE 'items ' END || status,
            sum(sign), sum(sign * amount_minor), sum(sign * entry_id)
     FROM ledger_entries GROUP BY 1 HAVING sum(sign) <> 0`,
  );
  const account: Account = new Map(
    entries.map(([name, count, cents, ids]) => [String(name), amount(count, cents, ids)]),
  );
  const visits = await query(
    dataDir,
    'dwh_db',
    `SELECT interaction_type, count(*) FROM realtime_events
     WHERE event_type NOT IN ('transaction', 'transaction_item') GROUP BY 1`,
  );
  for (const [name, count] of visits) account.set(`visits ${name}`, String(count));
  const [counts] = await query(
    dataDir,
    'dwh_db',
    `SELECT (SELECT count(*) FROM realtime_events), (SELECT count(DISTINCT event_id) FROM realtime_events),
            (SELECT coalesce(sum(events), 0) FROM events_hourly)`,
  );
  const names = ['rows', 'different events', 'events in its hours'];
  return { account, rows: names.map((name, index) => [name, Number(counts![index])]) };
}

function windowsAccount(windows: Iterable<WindowValue>): Account {
  const sums = new Map<string, [number, number]>();
  const add = (name: string, count: number, cents: number) => {
    const sum = sums.get(name) ?? [0, 0];
    sums.set(name, [sum[0] + count, sum[1] + cents]);
  };
  for (const { metric, group, values: v } of windows) {
    if (metric === 'transactions') {
      for (const s of STATUSES) {
        const cents = (v[`${s}_entered_minor`] ?? 0) - (v[`${s}_left_minor`] ?? 0);
        add(`sales ${s}`, (v[`${s}_entered`] ?? 0) - (v[`${s}_left`] ?? 0), cents);
      }
    } else if (metric === 'products_by_category') {
      const cents = (v['gross_minor'] ?? 0) - (v['reversals_minor'] ?? 0);
      add('items completed', (v['sales'] ?? 0) - (v['reversals'] ?? 0), cents);
    } else if (metric === 'behavior') {
      add(`visits ${group['interaction_type']}`, v['count'] ?? 0, 0);
    }
  }
  return shown(sums);
}

/** What the page's tiles are made of: it has no reversals of pending sales, and no count of taken back items. */
function pageAccount({ values }: LiveSnapshot): Account {
  const sums = new Map<string, [number, number]>();
  const add = (name: string, count: number, cents: number) => {
    const sum = sums.get(name) ?? [0, 0];
    sums.set(name, [sum[0] + count, sum[1] + cents]);
  };
  for (const { metric, group, values: v } of values) {
    if (metric === 'transactions') {
      const cents = v['completed_entered_minor']! - v['completed_left_minor']!;
      add('sales completed', v['completed_entered']! - v['completed_left']!, cents);
    } else if (metric === 'behavior') {
      add(`visits ${group['interaction_type']}`, v['count']!, 0);
    }
  }
  return shown(sums);
}

const shown = (sums: ReadonlyMap<string, readonly [number, number]>): Account =>
  new Map(
    [...sums]
      .filter(([, [count]]) => count !== 0)
      .map(([name, [count, cents]]) => [
        name,
        name.startsWith('visits') ? String(count) : `${count} for ${cents}`,
      ]),
  );

const isOnPage = (name: string): boolean => name === 'sales completed' || name.startsWith('visits');

/** Windows know no ids, and of items only those of completed sales. */
const withoutIds = (account: Account, wanted: (name: string) => boolean): Account =>
  new Map(
    [...account]
      .filter(([name]) => wanted(name) && (!name.startsWith('items') || name === 'items completed'))
      .map(([name, text]) => [name, text.replace(/ ids .*/, '')]),
  );

function compare(place: string, shop: Account, other: Account): string[] {
  const names = [...new Set([...shop.keys(), ...other.keys()])].sort();
  return names
    .filter((name) => shop.get(name) !== other.get(name))
    .map(
      (name) => `${place}: ${name}: ${other.get(name) ?? 'none'}, the shop has ${shop.get(name) ?? 'none'}`,
    );
}

const total = (shop: Account): number =>
  [...shop]
    .filter(([name]) => name.startsWith('sales'))
    .reduce((sum, [, text]) => sum + Number.parseInt(text, 10), 0);
