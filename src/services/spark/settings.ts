// The settings of the processes as data.
import { hash } from 'node:crypto';
import { freePorts } from '../free-ports.ts';
import { folderOption, layout } from './layout.ts';

/** All on 127.0.0.1. */
export interface SparkPorts {
  readonly master: number;
  readonly masterUi: number;
  /** One entry a worker. */
  readonly workers: readonly { readonly port: number; readonly ui: number }[];
  readonly driver: number;
  readonly driverBlocks: number;
  readonly driverUi: number;
  /** Of the first executor; another one takes the next free one. */
  readonly executorBlocks: number;
  readonly connect: number;
}

/** Those that people look at or connect to. */
export type OuterPorts = Pick<SparkPorts, 'master' | 'masterUi' | 'driverUi' | 'connect'>;

/** As Spark's users know them. */
export const USUAL_PORTS: OuterPorts = { master: 7077, masterUi: 8080, driverUi: 4040, connect: 15002 };
/** So that each has a port of its own. */
export const WORKERS_MAX = 20;

/** Of up to WORKERS_MAX workers; all others lie next to the master's two. */
export const sparkPortsBy = (outer: OuterPorts, workers: number): SparkPorts => ({
  ...outer,
  driver: outer.master + 1,
  driverBlocks: outer.master + 2,
  workers: Array.from({ length: workers }, (_, index) => ({
    port: outer.master + 4 + index,
    ui: outer.masterUi + 1 + index,
  })),
  executorBlocks: outer.master + 4 + WORKERS_MAX,
});

/** Ports where nobody listens now. */
export async function freeSparkPorts(workers: number): Promise<SparkPorts> {
  const free = await freePorts(7 + workers * 2);
  const next = () => free.pop()!;
  return {
    master: next(),
    masterUi: next(),
    workers: Array.from({ length: workers }, () => ({ port: next(), ui: next() })),
    driver: next(),
    driverBlocks: next(),
    driverUi: next(),
    executorBlocks: next(),
    connect: next(),
  };
}

export interface SparkSizes {
  /** Tasks that an executor runs at a time; more than the machine has is allowed, since tasks mostly wait. */
  readonly coresPerWorker: number;
  /** Heap of the master and of each worker. */
  readonly daemonMb: number;
  /** Heap of the Connect server, which is the driver. */
  readonly driverMb: number;
  /** Heap of each executor; a worker has one. */
  readonly executorMb: number;
}

export const USUAL_SIZES: SparkSizes = {
  coresPerWorker: 4,
  daemonMb: 256,
  driverMb: 1_024,
  executorMb: 768,
};

/** Of a Kafka user, by SCRAM-SHA-256. */
export interface KafkaLogin {
  readonly username: string;
  readonly password: string;
}

/** What settings are made from. */
export interface SettingsParts {
  /** Real path. */
  readonly dataDir: string;
  readonly ports: SparkPorts;
  readonly sizes: SparkSizes;
  readonly token: string;
  readonly kafkaLogin: KafkaLogin | null;
  /** JVM options of the class archive. */
  readonly archive: readonly string[];
}

export type Settings = Readonly<Record<string, string>>;

export const masterUrl = ({ master }: SparkPorts): string => `spark://127.0.0.1:${master}`;

const LOG_BYTES = 8 << 20;

/** Processes show each other that they belong together; who has not the token could otherwise run code as this user. */
const trust = (token: string): Settings => ({
  'spark.authenticate': 'true',
  'spark.authenticate.secret': hash('sha256', `processes of ${token}`),
});

/** Where it is told to listen, or not at all. */
const FIXED_PORTS: Settings = { 'spark.port.maxRetries': '0' };

export const masterSettings = ({ dataDir, token }: SettingsParts): Settings => ({
  ...trust(token),
  ...FIXED_PORTS,
  // It would take programs over HTTP, on a port of its own.
  'spark.master.rest.enabled': 'false',
  // A master that is started again keeps workers and driver, and these keep working meanwhile.
  'spark.deploy.recoveryMode': 'FILESYSTEM',
  'spark.deploy.recoveryDirectory': layout(dataDir).recovery,
  // Executors that die, however often, are no reason to give the driver up.
  'spark.deploy.maxExecutorRetries': '-1',
  'spark.deploy.retainedApplications': '5',
  'spark.ui.killEnabled': 'false',
});

export const workerSettings = ({ token }: SettingsParts): Settings => ({
  ...trust(token),
  ...FIXED_PORTS,
  'spark.worker.ui.retainedExecutors': '10',
  'spark.worker.cleanup.enabled': 'true',
  'spark.worker.cleanup.interval': '600',
  'spark.worker.cleanup.appDataTtl': '86400',
  'spark.ui.killEnabled': 'false',
});

export const driverSettings = (parts: SettingsParts): Settings => {
  const { token, ports, sizes } = parts;
  return {
    ...trust(token),
    'spark.master': masterUrl(ports),
    'spark.app.name': 'instashop',
    'spark.driver.host': '127.0.0.1',
    'spark.driver.bindAddress': '127.0.0.1',
    'spark.driver.port': String(ports.driver),
    'spark.driver.blockManager.port': String(ports.driverBlocks),
    'spark.blockManager.port': String(ports.executorBlocks),
    'spark.ui.port': String(ports.driverUi),
    'spark.connect.grpc.binding.address': '127.0.0.1',
    'spark.connect.grpc.binding.port': String(ports.connect),
    'spark.executor.memory': `${sizes.executorMb}m`,
    'spark.executor.extraJavaOptions': executorOptions(parts).map(quoted).join(' '),
    'spark.executor.logs.rolling.strategy': 'size',
    'spark.executor.logs.rolling.maxSize': String(LOG_BYTES),
    'spark.executor.logs.rolling.maxRetainedFiles': '2',
    ...QUERY_SETTINGS,
    ...MEMORY_SETTINGS,
  };
};

/** What queries rely on, whatever their sessions set beside. */
const QUERY_SETTINGS: Settings = {
  // A client beats; when it goes, its queries stay, and the next client finds them.
  'spark.connect.session.manager.defaultSessionTimeout': '-1',
  'spark.scheduler.mode': 'FAIR',
  'spark.sql.catalogImplementation': 'in-memory',
  // Each partition costs a task a batch.
  'spark.sql.shuffle.partitions': '2',
  'spark.sql.adaptive.enabled': 'false',
  'spark.sql.streaming.stateStore.providerClass':
    'org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider',
  'spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled': 'true',
  // Local files by plain Java: Hadoop's usual way forks `chmod` for each.
  'spark.hadoop.fs.file.impl': 'org.apache.hadoop.fs.RawLocalFileSystem',
};

/** A driver that runs batches for months keeps the last few. */
const MEMORY_SETTINGS: Settings = {
  'spark.ui.killEnabled': 'false',
  'spark.ui.retainedJobs': '50',
  'spark.ui.retainedStages': '50',
  'spark.ui.retainedTasks': '1000',
  'spark.ui.retainedDeadExecutors': '10',
  'spark.sql.ui.retainedExecutions': '50',
  'spark.sql.streaming.ui.retainedProgressUpdates': '50',
  'spark.sql.streaming.numRecentProgressUpdates': '50',
};

const COMMON_OPTIONS = ['-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'];

/** JVM options of master and workers. They only pass messages on: a second compiler is not worth its memory. */
export const daemonOptions = ({ dataDir, sizes, archive }: SettingsParts, logging: string): string[] => [
  `-Xmx${sizes.daemonMb}m`,
  ...COMMON_OPTIONS,
  '-XX:TieredStopAtLevel=1',
  ...archive,
  folderOption(dataDir),
  `-Dlog4j2.configurationFile=${logging}`,
];

export const driverOptions = (parts: SettingsParts, logging: string): string[] => [
  `-Xmx${parts.sizes.driverMb}m`,
  ...MODULE_OPTIONS,
  ...jobOptions(parts),
  `-Dlog4j2.configurationFile=${logging}`,
];

/** Spark adds the heap and its own. */
const executorOptions = (parts: SettingsParts): string[] => [
  ...jobOptions(parts),
  // Code that Spark generates for a wide row is long; Java's default never compiles such methods. A third to half of
  // the time of our query.
  '-XX:-DontCompileHugeMethods',
  `-Dlog4j2.configurationFile=${layout(parts.dataDir).executorLogging}`,
];

function jobOptions({ dataDir, archive, kafkaLogin }: SettingsParts): string[] {
  const { temp, jaas } = layout(dataDir);
  return [
    ...COMMON_OPTIONS,
    ...archive,
    folderOption(dataDir),
    `-Djava.io.tmpdir=${temp}`,
    ...(kafkaLogin ? [`-Djava.security.auth.login.config=${jaas}`] : []),
  ];
}

/** For Spark's own splitting of options. */
const quoted = (option: string): string =>
  /[\s"'\\]/.test(option) ? `"${option.replace(/["\\]/g, '\\$&')}"` : option;

const OPENED = [
  ...['lang', 'lang.invoke', 'lang.reflect', 'io', 'net', 'nio', 'util', 'util.concurrent'],
  'util.concurrent.atomic',
].map((name) => `java.base/java.${name}`);

/** As Spark's own launcher gives them to a driver. */
const MODULE_OPTIONS = [
  '-XX:+IgnoreUnrecognizedVMOptions',
  '--add-modules=jdk.incubator.vector',
  ...[
    ...OPENED,
    'java.base/jdk.internal.ref',
    'java.base/sun.nio.ch',
    'java.base/sun.nio.cs',
    'java.base/sun.security.action',
    'java.base/sun.util.calendar',
    'java.security.jgss/sun.security.krb5',
  ].map((name) => `--add-opens=${name}=ALL-UNNAMED`),
  '-Dio.netty.tryReflectionSetAccessible=true',
  '-Dio.netty.allocator.type=pooled',
  '-Dio.netty.handler.ssl.defaultEndpointVerificationAlgorithm=NONE',
  '--sun-misc-unsafe-memory-access=allow',
  '--enable-native-access=ALL-UNNAMED',
];

/** How driver and executors sign in to Kafka, for a file of mode 0600: so it stands in no plan and no command line. */
export const jaasText = ({ username, password }: KafkaLogin): string => `KafkaClient {
  org.apache.kafka.common.security.scram.ScramLoginModule required
  username="${username}"
  password="${password}";
};
`;
