import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/lib/log.ts';
import {
  freeSparkPorts,
  type KafkaLogin,
  type SparkPorts,
  USUAL_SIZES,
} from '../../src/services/spark/settings.ts';
import { type SparkCluster, type SparkOptions, startSpark } from '../../src/services/spark/spark.ts';

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
