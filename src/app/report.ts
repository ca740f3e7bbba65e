import { healthKey, type StageHealth } from '../contracts/stage-health.ts';
import { TOPICS } from '../contracts/topics.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import type { Broker } from '../stores/broker/broker.ts';
import type { Supervised } from './supervise.ts';

const REPORT_MS = 1_000;
/** A stage of which nothing changed says so this often; the page calls it silent after 10 s. */
const IDLE_REPORT_MS = 5_000;

export type SendHealth = (health: readonly StageHealth[]) => Promise<void>;

/** Health into the log's topic, where the publisher finds it. */
export const healthToLog =
  (broker: () => Promise<Pick<Broker, 'append'>>): SendHealth =>
  async (health) =>
    (await broker()).append(
      health.map((one) => ({
        topic: TOPICS.stageHealth.name,
        partition: 0,
        key: healthKey(one),
        value: Buffer.from(JSON.stringify(one)),
        headers: {},
      })),
    );

export interface ReportOptions {
  readonly stages: readonly Supervised[];
  readonly send: SendHealth;
  /** Name of this process where a stage may have several (contracts/stage-health.ts). */
  readonly instance?: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Sends what the stages say of themselves until the signal aborts, and their last words then. Never rejects. */
export async function report(
  { stages, send, instance, clock, log }: ReportOptions,
  signal: AbortSignal,
): Promise<void> {
  const sent = new Map<string, { readonly at: number; readonly said: string }>();
  let failed = false;
  const round = async (): Promise<void> => {
    const now = clock.now();
    const news = stages
      .map((stage) => ({ ...stage.health(), ...(instance !== undefined && { instance }) }))
      .filter((health) => {
        const said = JSON.stringify({ ...health, at: 0 });
        const before = sent.get(health.stage);
        if (before?.said === said && now - before.at < IDLE_REPORT_MS) return false;
        sent.set(health.stage, { at: now, said });
        return true;
      });
    try {
      if (news.length > 0) await send(news);
      failed = false;
    } catch (error) {
      // The stages meet the same fault and say so; once is enough here.
      if (!failed) log.warn('cannot report health', { error });
      failed = true;
      sent.clear();
    }
  };
  while (!signal.aborted) {
    await round();
    await clock.sleep(REPORT_MS, signal);
  }
  await round();
}
