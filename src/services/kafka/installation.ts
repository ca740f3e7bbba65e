// What runs Kafka: its jars from Maven Central, a Java, and a class archive that makes a start three times as fast.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { type ClassArchive, classArchive } from '../class-archive.ts';
import { cacheFolder, download, type RemoteFile } from '../download.ts';
import { findJava } from '../java.ts';
import { JVM_OPTIONS } from './settings.ts';

/** Pinned: Kafka and what it needs to run, each with its digest. */
const JARS = JSON.parse(readFileSync(new URL('jars.json', import.meta.url), 'utf8')) as readonly RemoteFile[];

/** Of the jars. */
export const KAFKA_VERSION = '4.3.1';

export const MAVEN_URL = 'https://repo1.maven.org/maven2';
export const MAVEN_VARIABLE = 'INSTASHOP_MAVEN_URL';

export interface InstallationOptions {
  /** Shared by all runs of the user (default: cacheFolder()). */
  readonly cacheDir?: string | undefined;
  /** Where the jars come from (default: $INSTASHOP_MAVEN_URL, else Maven Central). */
  readonly mavenUrl?: string | undefined;
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Installation {
  /** The command line that runs a main class of the jars. */
  command(mainClass: string, args: readonly string[], options?: readonly string[]): readonly string[];
  /** See ClassArchive.ensure. */
  readonly ensureArchive: ClassArchive['ensure'];
}

/** Bytes that a first start downloads. */
export const DOWNLOAD_BYTES = JARS.reduce((sum, { bytes }) => sum + bytes, 0);

/** Whether nothing needs to be downloaded any more. */
export const isInstalled = (cacheDir = cacheFolder()): boolean =>
  JARS.every(({ path }) => existsSync(join(jarFolder(cacheDir), path)));

const jarFolder = (cacheDir: string): string => join(cacheDir, `kafka-${KAFKA_VERSION}`, 'jars');

/** Rejects with a UserError without Java, network or room. */
export async function installKafka(options: InstallationOptions): Promise<Installation> {
  const { cacheDir = cacheFolder(), clock, log, onProgress } = options;
  const java = findJava('Kafka');
  const folder = jarFolder(cacheDir);
  const baseUrl = options.mavenUrl || process.env[MAVEN_VARIABLE] || MAVEN_URL;
  await download({ baseUrl, variable: MAVEN_VARIABLE, folder, files: JARS, onProgress, clock });
  const classPath = JARS.map(({ path }) => join(folder, path)).join(':');
  const archive = classArchive({
    folder: join(cacheDir, `kafka-${KAFKA_VERSION}`),
    java,
    classPath,
    program: 'Kafka',
    log,
  });
  return {
    command: (mainClass, args, more = []) => [
      java.program,
      ...JVM_OPTIONS,
      ...archive.options(),
      ...more,
      '-cp',
      classPath,
      mainClass,
      ...args,
    ],
    ensureArchive: archive.ensure,
  };
}
