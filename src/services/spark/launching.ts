// How each process is started: main class, arguments, settings, environment.
import { mkdirSync } from 'node:fs';
import { propertiesText } from '../kafka/settings.ts';
import { launch } from '../launch.ts';
import { writePrivate } from '../private-file.ts';
import type { Installation } from './installation.ts';
import { layout, processLayout } from './layout.ts';
import { EXECUTOR_LOGGING, loggingText } from './logging.ts';
import type { SparkProcessState } from './processes.ts';
import {
  daemonOptions,
  driverOptions,
  driverSettings,
  jaasText,
  masterSettings,
  masterUrl,
  type Settings,
  type SettingsParts,
  workerSettings,
} from './settings.ts';

/** What the processes of a cluster are started with. */
export interface LaunchParts extends SettingsParts {
  readonly installation: Installation;
  /** More of the driver's settings. */
  readonly settings?: Settings;
  /** Whether the processes end with this one. */
  readonly tied: boolean;
}

export type Place = Omit<SparkProcessState, 'pid' | 'executorPids'>;

const KILL_AFTER_S = 5;

/** How one process is started. */
export interface Start {
  readonly settings: Settings;
  readonly jvm: readonly string[];
  readonly mainClass: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

const masterStart = (parts: LaunchParts, logging: string): Start => ({
  settings: masterSettings(parts),
  jvm: daemonOptions(parts, logging),
  mainClass: 'org.apache.spark.deploy.master.Master',
  args: ['--host', '127.0.0.1', '--port', `${parts.ports.master}`, '--webui-port', `${parts.ports.masterUi}`],
});

function workerStart(parts: LaunchParts, logging: string, [ui, port]: readonly number[]): Start {
  const { sizes, dataDir, ports } = parts;
  return {
    settings: workerSettings(parts),
    jvm: daemonOptions(parts, logging),
    mainClass: 'org.apache.spark.deploy.worker.Worker',
    args: [
      ...['--host', '127.0.0.1', '--port', `${port}`, '--webui-port', `${ui}`],
      ...['--cores', `${sizes.coresPerWorker}`, '--memory', `${sizes.executorMb}m`],
      ...['--work-dir', layout(dataDir).work, masterUrl(ports)],
    ],
    environment: { SPARK_LOCAL_DIRS: layout(dataDir).scratch },
  };
}

export const connectStart = (parts: LaunchParts, logging: string): Start => ({
  settings: { ...driverSettings(parts), ...parts.settings },
  jvm: driverOptions(parts, logging),
  mainClass: 'org.apache.spark.deploy.SparkSubmit',
  args: ['--class', 'org.apache.spark.sql.connect.service.SparkConnectServer', 'spark-internal'],
  environment: {
    SPARK_LOCAL_DIRS: layout(parts.dataDir).scratch,
    SPARK_CONNECT_AUTHENTICATE_TOKEN: parts.token,
  },
});

export const startOf = (parts: LaunchParts, { name, kind, ports }: Place): Start => {
  const { logging } = processLayout(parts.dataDir, name);
  if (kind === 'worker') return workerStart(parts, logging, ports);
  return kind === 'master' ? masterStart(parts, logging) : connectStart(parts, logging);
};

/** Also tells what the process was started with, whatever of it stands elsewhere. */
export const settingsText = ({ settings, args }: Start): string =>
  propertiesText({ ...settings, 'instashop.arguments': args.join(' ') });

/** Writes the files of a process and starts it; resolves when it has ended, with its exit code. */
export function launchProcess(parts: LaunchParts, name: string, start: Start): Promise<number | null> {
  const { dataDir, installation, tied } = parts;
  const files = processLayout(dataDir, name);
  writePrivate(files.settings, settingsText(start));
  writePrivate(files.logging, loggingText(files.log));
  const args = ['--properties-file', files.settings, ...start.args];
  return launch({
    command: installation.command(start.mainClass, args, start.jvm),
    cwd: dataDir,
    outputFile: files.output,
    tied: tied ? { signal: 'TERM', killAfterS: KILL_AFTER_S } : null,
    environment: { ...installation.environment, ...start.environment },
  }).exited;
}

/** Makes the folders and the files that executors read. */
export function writeShared({ dataDir, kafkaLogin }: LaunchParts): void {
  const { checkpoints, recovery, work, scratch, temp, executorLogging, jaas } = layout(dataDir);
  for (const folder of [checkpoints, recovery, work, scratch, temp]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
  writePrivate(executorLogging, EXECUTOR_LOGGING);
  if (kafkaLogin) writePrivate(jaas, jaasText(kafkaLogin));
}
