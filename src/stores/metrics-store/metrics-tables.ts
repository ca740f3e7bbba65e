// The metrics store's SQLite file. What takes effect gets the next number of the feed, so that other processes
// find it; a value's old row goes when a new one comes.
import type { DatabaseSync } from 'node:sqlite';
import { groupKey, type MetricValue, metricVersion } from '../../contracts/metric-value.ts';
import type { SeedEntry } from '../../contracts/seed-keys.ts';
import { healthKey, type StageHealth } from '../../contracts/stage-health.ts';
import { openSqlite, type SqliteFile, sqliteFault, transaction } from '../../lib/sqlite.ts';
import { HEALTH_MAX, type MetricsChange, MetricsStoreEmptiedError } from './metrics-store.ts';

const SCHEMA = `
  CREATE TABLE feed (last_seq INTEGER NOT NULL);
  INSERT INTO feed VALUES (0);
  CREATE TABLE metric_values (
    seq INTEGER PRIMARY KEY, metric TEXT NOT NULL, window_start INTEGER NOT NULL, group_key TEXT NOT NULL,
    version INTEGER NOT NULL, expires INTEGER NOT NULL, json TEXT NOT NULL,
    UNIQUE (metric, window_start, group_key));
  CREATE TABLE seed_keys (
    key TEXT PRIMARY KEY, window_end INTEGER NOT NULL, version INTEGER NOT NULL, expires INTEGER NOT NULL,
    json TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE stage_health (
    stage TEXT PRIMARY KEY, at INTEGER NOT NULL, seq INTEGER NOT NULL, json TEXT NOT NULL) WITHOUT ROWID;`;

/** Added later: a file without it counts as not filled, and is filled once more from the topic. */
const MARK = 'CREATE TABLE IF NOT EXISTS filled (mark INTEGER PRIMARY KEY CHECK (mark = 1))';

/** What is expired is as good as absent, whatever its version. */
const SQL = {
  lastSeq: 'SELECT last_seq FROM feed',
  saveSeq: 'UPDATE feed SET last_seq = ?',
  value: `
    INSERT INTO metric_values VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (metric, window_start, group_key) DO UPDATE
    SET seq = excluded.seq, version = excluded.version, expires = excluded.expires, json = excluded.json
    WHERE excluded.version > version OR expires <= ?`,
  seed: `
    INSERT INTO seed_keys VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE
    SET window_end = excluded.window_end, version = excluded.version, expires = excluded.expires, json = excluded.json
    WHERE (excluded.window_end, excluded.version) > (window_end, version) OR expires <= ?`,
  health: `
    INSERT INTO stage_health VALUES (?, ?, ?, ?)
    ON CONFLICT (stage) DO UPDATE SET at = excluded.at, seq = excluded.seq, json = excluded.json
    WHERE excluded.at > at`,
  forgetHealth: `
    DELETE FROM stage_health
    WHERE stage IN (SELECT stage FROM stage_health ORDER BY at DESC LIMIT -1 OFFSET ${HEALTH_MAX})`,
  isFilled: 'SELECT mark FROM filled',
  markFilled: 'INSERT OR IGNORE INTO filled VALUES (1)',
  get: 'SELECT json FROM seed_keys WHERE key = ? AND expires > ?',
  keys: 'SELECT key FROM seed_keys WHERE expires > ? ORDER BY key',
  range: `
    SELECT json FROM metric_values WHERE metric = ? AND window_start >= ? AND window_start < ? AND expires > ?
    ORDER BY window_start, group_key`,
  allHealth: 'SELECT json FROM stage_health ORDER BY stage',
  valuesAfter: 'SELECT seq, json FROM metric_values WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?',
  healthAfter: 'SELECT json FROM stage_health WHERE seq > ? AND seq <= ? ORDER BY seq',
  // Expiry follows the order of writing.
  sweepValues: `
    DELETE FROM metric_values
    WHERE expires <= ? AND seq IN (SELECT seq FROM metric_values ORDER BY seq LIMIT ?)`,
  sweepSeeds: 'DELETE FROM seed_keys WHERE expires <= ?',
} as const;

const SWEEP_MAX = 500;

/** A part of what was written, and the number of the feed it begins and ends at. */
export interface Effect extends MetricsChange {
  readonly from: number;
  readonly to: number;
}

type Statements = Readonly<Record<keyof typeof SQL, ReturnType<DatabaseSync['prepare']>>>;

export class MetricsTables {
  readonly #file: SqliteFile;
  readonly #db: DatabaseSync;
  readonly #sql: Statements;

  constructor(path: string) {
    this.#file = {
      path,
      kind: 0x4953_4d53,
      format: 1,
      schema: SCHEMA,
      // A power cut may take the last values with it: they stand in the topic too, and nothing waits for the disk.
      pragmas:
        'PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 33554432;',
      remedy: 'Delete the file: it is filled again from topic `metrics`.',
    };
    this.#db = openSqlite(this.#file);
    this.#guard(() => this.#db.exec(MARK));
    const prepare = (sql: string) => {
      const statement = this.#db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    };
    this.#sql = Object.fromEntries(
      Object.entries(SQL).map(([name, sql]) => [name, prepare(sql)]),
    ) as Statements;
  }

  isFilled(): boolean {
    return this.#guard(() => this.#sql.isFilled.get() !== undefined);
  }

  markFilled(): void {
    this.#guard(() => this.#sql.markFilled.run());
  }

  /** Number of the last change. */
  lastSeq(): number {
    return this.#guard(() => Number((this.#sql.lastSeq.get() as unknown as readonly [number])[0]));
  }

  write(
    values: readonly MetricValue[],
    seedOf: (value: MetricValue) => SeedEntry | null,
    now: number,
    expires: number,
  ): Effect {
    return this.#change((nextSeq) => {
      const taken = values.filter((value) => {
        const { metric, window_start, window_end } = value;
        const version = metricVersion(value);
        const cell = [metric, window_start, groupKey(value.group)] as const;
        const { changes } = this.#sql.value.run(
          nextSeq(),
          ...cell,
          version,
          expires,
          JSON.stringify(value),
          now,
        );
        if (changes === 0) return false;
        const seed = seedOf(value);
        if (seed !== null) {
          this.#sql.seed.run(seed.key, window_end, version, expires, JSON.stringify(seed.fields), now);
        }
        return true;
      });
      return { values: taken, health: [] };
    });
  }

  writeHealth(health: readonly StageHealth[]): Effect {
    return this.#change((nextSeq) => {
      const taken = health.filter(
        (said) =>
          this.#sql.health.run(healthKey(said), said.at, nextSeq(), JSON.stringify(said)).changes !== 0,
      );
      this.#sql.forgetHealth.run();
      return { values: [], health: taken };
    });
  }

  get(key: string, now: number): string | null {
    return this.#texts('get', key, now)[0] ?? null;
  }

  keys(now: number): readonly string[] {
    return this.#texts('keys', now);
  }

  range(metric: string, fromMs: number, toMs: number, now: number): readonly MetricValue[] {
    return this.#texts('range', metric, fromMs, toMs, now).map((json) => JSON.parse(json) as MetricValue);
  }

  health(): readonly StageHealth[] {
    return this.#texts('allHealth').map((json) => JSON.parse(json) as StageHealth);
  }

  /** The changes after `from`, at most about `valuesMax` of them. */
  changesAfter(from: number, valuesMax: number): Effect {
    const last = this.lastSeq();
    const rows = this.#guard(
      () =>
        this.#sql.valuesAfter.all(from, last, valuesMax) as unknown as readonly (readonly [number, string])[],
    );
    const to = rows.length === valuesMax ? rows.at(-1)![0] : last;
    return {
      from,
      to,
      values: rows.map(([, json]) => JSON.parse(json) as MetricValue),
      health: this.#texts('healthAfter', from, to).map((json) => JSON.parse(json) as StageHealth),
    };
  }

  /** Removes some of what is expired. true: there may be more. */
  sweep(now: number): boolean {
    return this.#guard(() =>
      transaction(this.#db, () => {
        this.#sql.sweepSeeds.run(now);
        return this.#sql.sweepValues.run(now, SWEEP_MAX).changes === SWEEP_MAX;
      }),
    );
  }

  close(): void {
    this.#db.close();
  }

  #change(action: (nextSeq: () => number) => MetricsChange): Effect {
    return this.#guard(() =>
      transaction(this.#db, () => {
        if (!this.isFilled()) throw new MetricsStoreEmptiedError();
        const from = this.lastSeq();
        let to = from;
        const change = action(() => ++to);
        this.#sql.saveSeq.run(to);
        return { ...change, from, to };
      }),
    );
  }

  /** The first column of all rows. */
  #texts(name: 'get' | 'keys' | 'range' | 'allHealth' | 'healthAfter', ...values: (string | number)[]) {
    const rows = this.#guard(() => this.#sql[name].all(...values)) as unknown as readonly (readonly [
      string,
    ])[];
    return rows.map(([text]) => text);
  }

  #guard<T>(action: () => T): T {
    try {
      return action();
    } catch (error) {
      throw sqliteFault(error, this.#file);
    }
  }
}
