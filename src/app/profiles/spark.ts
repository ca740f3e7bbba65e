// The metrics stage whose windows Apache Spark counts. Loaded only where that engine is chosen.
import { join, resolve } from 'node:path';
import { METRICS } from '../../contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC } from '../../contracts/topics.ts';
import type { Stage } from '../../lib/stage.ts';
import type { MetricsEngineOptions } from '../../stages/metrics/engine.ts';
import { sparkQuery } from '../../stages/metrics/spark/spark-query.ts';
import { sparkMetricsStage } from '../../stages/metrics/spark/stage.ts';
import type { Options } from '../options.ts';
import { secretOf } from '../secrets.ts';

/** User of Spark's driver and executors at Kafka. */
export const SPARK_USER = 'instashop-spark';
/** Name of the secret that Spark Connect asks its clients for. */
export const CONNECT_TOKEN = 'instashop-spark-connect';
export const SPARK_URL = 'http://127.0.0.1:15002';

/** Where Spark keeps its checkpoints, as its driver and executors name it. */
export const checkpointRoot = ({ sparkCheckpoint, dataDir }: Options): string =>
  sparkCheckpoint ?? join(resolve(dataDir), 'cluster', 'spark', 'checkpoints');

/** The stage. Rejects with a UserError where the token is not known. */
export const sparkMetrics = (options: Options, parts: Omit<MetricsEngineOptions, 'definitions'>): Stage =>
  sparkMetricsStage({
    ...parts,
    query: sparkQuery({
      url: options.sparkUrl ?? SPARK_URL,
      token: secretOf(options, CONNECT_TOKEN),
      definitions: METRICS,
      kafka: kafkaOptions(options),
      target: SPARK_WINDOWS_TOPIC.name,
      checkpointRoot: checkpointRoot(options),
      shufflePartitions: options.sparkPartitions,
      clock: parts.clock,
      log: parts.log,
    }),
  });

/** How Spark reaches Kafka. Its password is not among them: Spark has it in a JAAS file of its own. */
function kafkaOptions({ kafkaBrokers, kafkaAuth, kafkaTls }: Options): Readonly<Record<string, string>> {
  const isSecure = kafkaTls === 'on';
  return {
    'kafka.bootstrap.servers': kafkaBrokers,
    ...(kafkaAuth === 'none'
      ? { 'kafka.security.protocol': isSecure ? 'SSL' : 'PLAINTEXT' }
      : {
          'kafka.security.protocol': isSecure ? 'SASL_SSL' : 'SASL_PLAINTEXT',
          'kafka.sasl.mechanism': 'SCRAM-SHA-256',
        }),
  };
}
