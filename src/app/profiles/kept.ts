import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import type { ChangeFeed, ShopDatabase } from '../../stores/shop/changes.ts';
import { logicalFeed } from '../../stores/shop/logical-feed.ts';
import { pollingFeed } from '../../stores/shop/polling-feed.ts';
import { once } from '../once.ts';
import type { Options } from '../options.ts';

interface Closable {
  close(): Promise<void>;
}

/** What a platform has made, to be closed in reverse order. */
export class Kept {
  readonly #made: Closable[] = [];

  /** The thing, made when first asked for and shared from then on. */
  once<T extends Closable>(make: () => Promise<T>): () => Promise<T> {
    return once(async () => this.add(await make()));
  }

  add<T extends Closable>(made: T): T {
    this.#made.unshift(made);
    return made;
  }

  async close(): Promise<void> {
    for (const one of this.#made.splice(0)) await one.close();
  }
}

/** Where a stage of the data folder keeps its own state; made when missing. */
export const stageDir =
  ({ dataDir }: Options) =>
  (stage: string): string => {
    const path = join(resolve(dataDir), stage);
    mkdirSync(path, { recursive: true });
    return path;
  };

/** The change feed by the wanted mode of capture. */
export function feedOf(
  options: Options,
  database: ShopDatabase,
  parts: { readonly url: string; readonly clock: Clock; readonly log: Log; readonly lingerMs?: number },
): ChangeFeed {
  return options.capture === 'logical'
    ? logicalFeed({ ...parts, database })
    : pollingFeed({ ...parts, database, intervalMs: options.pollInterval });
}
