// Waiting, for a bounded time, until the log holds what is to be compared.
import { TOPICS } from '../../contracts/topics.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Broker } from '../../stores/broker/broker.ts';
import type { ShopCut } from '../../stores/shop/shop-accounting.ts';

const LOOK_MS = 100;
/** A reader that does not move for so long is taken as stopped. */
const STILL_MS = 3_000;

/** null once the log has everything that the cut shows; else why it may not. */
export async function waitForCapture(
  database: string,
  cut: Pick<ShopCut, 'reached'>,
  clock: Clock,
  waitMs: number,
): Promise<string | null> {
  const until = clock.now() + waitMs;
  for (;;) {
    const state = await cut.reached();
    if (state === 'reached') return null;
    if (state === 'stopped')
      return `capture of ${database} is not running: what it has not read yet is missing in the log`;
    if (clock.now() >= until)
      return `capture of ${database} is behind: what it has not read yet is missing in the log`;
    await clock.sleep(LOOK_MS);
  }
}

/** null once enrichment has read all sales that are in the log now; else why items may be missing. */
export async function waitForEnrichment(
  broker: Pick<Broker, 'partitions' | 'committed'>,
  clock: Clock,
  waitMs: number,
): Promise<string | null> {
  const ends = await broker.partitions(TOPICS.transactions.name);
  const until = clock.now() + waitMs;
  let movedAt = clock.now();
  let before = -1;
  for (;;) {
    const committed = await broker.committed('enrichment');
    const behind = ends.reduce(
      (sum, { topic, partition, end }) =>
        sum + Math.max(end - (committed.get(`${topic}/${partition}`) ?? 0), 0),
      0,
    );
    if (behind === 0) return null;
    const now = clock.now();
    if (behind !== before) movedAt = now;
    before = behind;
    if (now >= until || now - movedAt >= STILL_MS) {
      return `enrichment has ${behind} sales to read: their items are missing in the log`;
    }
    await clock.sleep(LOOK_MS);
  }
}
