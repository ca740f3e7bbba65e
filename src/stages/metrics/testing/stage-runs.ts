// Sales for a metrics stage, runs of it, and the values it wrote, whatever its engine.
import type { MemoryBroker } from '../../../../test/support/memory-broker.ts';
import { TRANSACTION_EXAMPLE, type TransactionEvent } from '../../../contracts/events/transaction.ts';
import { type MetricValue, metricVersion } from '../../../contracts/metric-value.ts';
import type { StageHealth } from '../../../contracts/stage-health.ts';
import { TOPICS } from '../../../contracts/topics.ts';
import { systemClock } from '../../../lib/clock.ts';
import type { Stage } from '../../../lib/stage.ts';
import type { OutgoingRecord } from '../../../stores/broker/broker.ts';

/** When the sales are. */
export const NOW = systemClock.now();

export function sale(id: number, change: Partial<TransactionEvent> = {}): OutgoingRecord {
  const times = { event_time: NOW, committed_at: NOW, captured_at: NOW };
  const event = { ...TRANSACTION_EXAMPLE, transaction_id: id, event_id: `e-${id}`, ...times, ...change };
  const value = Buffer.from(JSON.stringify(event));
  return { topic: TOPICS.transactions.name, partition: id % 6, key: String(id), value, headers: {} };
}

export const writtenTo = (broker: MemoryBroker): readonly MetricValue[] =>
  broker.records(TOPICS.metrics.name).map(({ value }) => JSON.parse(Buffer.from(value).toString()));

/** Events in the newest version of the overall figure. */
export function countedIn(broker: MemoryBroker): number {
  const values = writtenTo(broker).filter(({ metric }) => metric === 'transactions');
  const newest = values.reduce<MetricValue | null>(
    (best, value) => (best === null || metricVersion(value) > metricVersion(best) ? value : best),
    null,
  );
  return newest?.events ?? 0;
}

/** Runs until `done` (or `msMax` have gone), then stops cleanly. Rejects as the run does. */
export async function runStage(stage: Stage, done: () => boolean, msMax: number): Promise<StageHealth> {
  const stop = new AbortController();
  let hasEnded = false;
  const run = stage.run(stop.signal).finally(() => {
    hasEnded = true;
  });
  run.catch(() => {});
  const until = systemClock.now() + msMax;
  while (!hasEnded && !done() && systemClock.now() < until) await systemClock.sleep(5);
  stop.abort();
  await run;
  return stage.health();
}
