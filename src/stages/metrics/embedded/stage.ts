import { METRICS } from '../../../contracts/metrics.ts';
import { healthOf, type Stage, type StageCounts, stageCounts } from '../../../lib/stage.ts';
import { type Claim, type TopicPartition, topicPartition, totalLag } from '../../../stores/broker/broker.ts';
import { deadLetterRecord } from '../../../stores/broker/dead-letters.ts';
import { type MetricsEngineOptions, STAGE_NAME } from '../engine.ts';
import { claimMetrics, endingOf } from '../ownership.ts';
import { sourcesOf, topicsOf } from '../sources.ts';
import { openSqliteCheckpoint } from '../sqlite-checkpoint.ts';
import { BATCH_BOUNDS, type RunningEngine, Work } from '../work.ts';
import { WindowEngine } from './window-engine.ts';

export interface EmbeddedEngineOptions extends MetricsEngineOptions {
  readonly checkpointIntervalMs?: number;
}

/** The embedded metrics engine as a stage: see MetricsEngine in ../engine.ts. */
export function metricsStage(options: EmbeddedEngineOptions): Stage {
  const { broker, clock, log, dir, definitions = METRICS } = options;
  const counts = stageCounts();
  let current: WindowEngine | null = null;

  const run = async (signal: AbortSignal) => {
    const claim = await claimMetrics(broker);
    const checkpoint = openSqliteCheckpoint(dir, definitions, log);
    try {
      const state = checkpoint.load();
      const topics = topicsOf(definitions);
      const sources = await sourcesOf(broker, topics, state);
      log.info(state === null ? 'started at the start of the log' : 'started from the checkpoint', {
        waiting: sources.reduce((sum, { lag }) => sum + lag, 0),
      });
      const engine = new WindowEngine({ definitions, sources, state, now: clock.now() });
      current = engine;
      const from = new Map(
        sources.map(({ topic, partition, nextOffset }) => [topicPartition(topic, partition), nextOffset]),
      );
      const work = new Work({ ...options, claim }, running(engine, counts, claim), checkpoint, signal);
      const reading = { topics, group: STAGE_NAME, from, ...BATCH_BOUNDS };
      await work.run((until) => broker.read({ ...reading, signal: until }));
    } catch (error) {
      throw endingOf(error);
    } finally {
      checkpoint.close();
    }
  };

  const health = () => {
    if (current !== null) {
      Object.assign(counts.figures, current.figures(clock.now()));
      const newest = current.newestEventTime;
      counts.newestAt = Number.isFinite(newest) ? newest : null;
    }
    return healthOf(STAGE_NAME, clock, counts);
  };
  return { name: STAGE_NAME, run, health };
}

/** The engine as a run drives it. */
function running(engine: WindowEngine, counts: StageCounts, claim: Claim): RunningEngine {
  const waiting = new Map<TopicPartition, number>();
  return {
    unsent: engine.unsent,
    async take({ records, lag }, now) {
      const refusals = engine.apply(records, lag, now);
      for (const [name, records] of lag) waiting.set(name, records);
      counts.lag = totalLag({ lag: waiting });
      counts.processed += records.length;
      if (refusals.length === 0) return;
      await claim.append(
        refusals.map(({ record, reason, message }) => deadLetterRecord(record, STAGE_NAME, reason, message)),
      );
      counts.deadLetters += refusals.length;
    },
    pass: (now) => engine.pass(now),
    readyToSave: () => engine.changed,
    takeChanges: () => engine.takeChanges(),
    resume: async () => {},
  };
}
