// The metrics stage whose windows Apache Spark counts. Loaded only where that engine is chosen.
import { METRICS } from '../../contracts/metrics.ts';
import { SPARK_WINDOWS_TOPIC } from '../../contracts/topics.ts';
import type { Stage } from '../../lib/stage.ts';
import { layout } from '../../services/spark/layout.ts';
import type { MetricsEngineOptions } from '../../stages/metrics/engine.ts';
import { sparkQuery } from '../../stages/metrics/spark/spark-query.ts';
import { sparkMetricsStage } from '../../stages/metrics/spark/stage.ts';
import { sparkDir } from '../cluster/places.ts';
import { withWatch } from '../cluster/spark.ts';
import type { Options } from '../options.ts';
import { secretOf } from '../secrets.ts';
import { CONNECT_TOKEN, SPARK_URL } from './spark-names.ts';

/** Where Spark keeps its checkpoints, as its driver and executors name it. */
const checkpointRoot = ({ sparkCheckpoint, dataDir }: Options): string =>
  sparkCheckpoint ?? layout(sparkDir(dataDir)).checkpoints;

/** The stage, which watches over the Spark of this data folder, if any. Rejects with a UserError without the token. */
export function sparkMetrics(options: Options, parts: Omit<MetricsEngineOptions, 'definitions'>): Stage {
  const stage = sparkMetricsStage({
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
  return withWatch(stage, options, parts);
}

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
