// The Spark that `cluster up` starts: with what, and who starts it again when a process of it dies.
import type { Clock } from '../../lib/clock.ts';
import { UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Stage } from '../../lib/stage.ts';
import { attachSpark, isSparkWanted, type SparkOptions } from '../../services/spark/spark.ts';
import { type Lock, takeLock } from '../lock.ts';
import type { Options } from '../options.ts';
import { CONNECT_TOKEN, SPARK_USER } from '../profiles/spark-names.ts';
import { secretOf } from '../secrets.ts';
import { clusterDir, type SparkPlace, sparkDir, sparkPlace } from './places.ts';

interface Surroundings {
  readonly clock: Clock;
  readonly log: Log;
}

/** Rejects with a UserError where a secret is not known. */
export const sparkServerOptions = (
  options: Options,
  { dir, ports, sizes }: SparkPlace,
  { clock, log }: Surroundings,
): SparkOptions => ({
  dataDir: dir,
  ports,
  sizes,
  token: secretOf(options, CONNECT_TOKEN),
  kafkaLogin: { username: SPARK_USER, password: secretOf(options, SPARK_USER) },
  tied: false,
  clock,
  log,
});

/** The stage, and as long as it runs the watch over its Spark. */
export const withWatch = (stage: Stage, options: Options, { clock, log }: Surroundings): Stage => ({
  name: stage.name,
  health: () => stage.health(),
  async run(signal) {
    const ending = new AbortController();
    const watching = watchSpark(options, { clock, log }, AbortSignal.any([signal, ending.signal])).catch(
      (error: Error) => log.warn('Spark is not watched: what of it ends stays so', { error }),
    );
    try {
      await stage.run(signal);
    } finally {
      ending.abort();
      await watching;
    }
  },
});

/**
 * Starts again what ends of the Spark that `cluster up` started on this data folder, until the signal aborts. Resolves
 * at once where there is none, or where another process does so.
 */
async function watchSpark(
  options: Options,
  { clock, log }: Surroundings,
  signal: AbortSignal,
): Promise<void> {
  const dir = clusterDir(options.dataDir);
  const lock = isSparkWanted(sparkDir(options.dataDir)) ? lockOf(dir) : null;
  if (lock === null) return;
  try {
    const cluster = await attachSpark(sparkServerOptions(options, sparkPlace(options), { clock, log }));
    await cluster.watch(signal);
  } finally {
    lock.release();
  }
}

function lockOf(dir: string): Lock | null {
  try {
    return takeLock(dir, 'spark-watch', 'the watch over Spark');
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
