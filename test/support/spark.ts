import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CONNECT_TOKEN, SPARK_USER } from '../../src/app/profiles/spark-names.ts';
import { secretVariable } from '../../src/app/secrets.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import {
  freeSparkPorts,
  type KafkaLogin,
  type SparkPorts,
  USUAL_SIZES,
} from '../../src/services/spark/settings.ts';
import { type SparkCluster, type SparkOptions, startSpark } from '../../src/services/spark/spark.ts';
import type { TestCluster } from './cluster.ts';

export interface TestSpark {
  readonly cluster: SparkCluster;
  /** What it was started with: a second start with the same finds it. */
  readonly options: SparkOptions;
  /** http://127.0.0.1:port of the Connect server. */
  readonly url: string;
  readonly token: string;
  readonly ports: SparkPorts;
  /** For checkpoints; it goes with the cluster. */
  readonly checkpointDir: string;
  /** Stops the cluster and removes its data. */
  stop(): Promise<void>;
}

export interface TestSparkOptions {
  /** Whom driver and executors are in Kafka; without: a Kafka without users. */
  readonly kafka?: KafkaLogin;
  /** Default 1. */
  readonly workers?: number;
  /** More of the driver's settings. */
  readonly settings?: Readonly<Record<string, string>>;
}

const CORES = 4;

/** A Spark of its own for a test file, on free ports; its processes end with this one at the latest. */
export async function testSpark({ kafka, workers = 1, settings }: TestSparkOptions = {}): Promise<TestSpark> {
  const folder = mkdtempSync(join(tmpdir(), 'instashop-spark-'));
  const options: SparkOptions = {
    dataDir: folder,
    ports: await freeSparkPorts(workers),
    sizes: { ...USUAL_SIZES, coresPerWorker: CORES },
    token: 'secret-of-connect',
    kafkaLogin: kafka ?? null,
    ...(settings && { settings }),
    tied: true,
    clock: systemClock,
    log: silentLog,
  };
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const cluster = await startSpark(options).catch((error: unknown) => {
    remove();
    throw error;
  });
  return {
    cluster,
    options,
    url: cluster.connectUrl,
    token: options.token,
    ports: options.ports,
    checkpointDir: cluster.checkpointDir,
    async stop() {
      await cluster.stop();
      remove();
    },
  };
}

export interface ClusterSpark extends TestSpark {
  /** The options that make it the metrics engine of a process. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A Spark for the stages of a test cluster, with its own user in Kafka. */
export async function testSparkFor({ kafka }: Pick<TestCluster, 'kafka'>): Promise<ClusterSpark> {
  const spark = await testSpark({ kafka: { username: SPARK_USER, password: kafka.passwords[SPARK_USER]! } });
  return {
    ...spark,
    environment: {
      INSTASHOP_METRICS_ENGINE: 'spark',
      INSTASHOP_SPARK_URL: spark.url,
      INSTASHOP_SPARK_CHECKPOINT: spark.checkpointDir,
      [secretVariable(CONNECT_TOKEN)]: spark.token,
    },
  };
}
