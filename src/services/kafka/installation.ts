// What runs Kafka: its jars from Maven Central, a Java, and a class archive that makes a start three times as fast.
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { cacheFolder, download, type RemoteFile } from '../download.ts';
import { findJava } from './java.ts';
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
  /**
   * Makes the class archive, unless there is one: `train` is to run a broker for a moment with these JVM options and
   * end it politely. Without an archive everything works, only slower.
   */
  ensureArchive(train: (options: readonly string[], folder: string) => Promise<void>): Promise<void>;
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
  const java = findJava();
  const folder = jarFolder(cacheDir);
  const baseUrl = options.mavenUrl || process.env[MAVEN_VARIABLE] || MAVEN_URL;
  await download({ baseUrl, variable: MAVEN_VARIABLE, folder, files: JARS, onProgress, clock });
  const classPath = JARS.map(({ path }) => join(folder, path)).join(':');
  // Of use to the same Java and the same class path only.
  const key = hash('sha256', `${java.version}\n${classPath}`).slice(0, 12);
  const archive = join(cacheDir, `kafka-${KAFKA_VERSION}`, `classes-${key}.jsa`);
  const run = (options: readonly string[]) => [java.program, ...JVM_OPTIONS, ...options, '-cp', classPath];
  return {
    command(mainClass, args, options = []) {
      const shared = existsSync(archive)
        ? [`-XX:SharedArchiveFile=${archive}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off']
        : [];
      return [...run([...shared, ...options]), mainClass, ...args];
    },
    async ensureArchive(train) {
      if (existsSync(archive)) return;
      const parent = join(cacheDir, `kafka-${KAFKA_VERSION}`);
      mkdirSync(parent, { recursive: true });
      const scratch = mkdtempSync(join(parent, 'training-'));
      const made = join(scratch, 'classes.jsa');
      try {
        await train([`-XX:ArchiveClassesAtExit=${made}`, '-Xlog:cds=off', '-Xlog:cds+dynamic=off'], scratch);
        renameSync(made, archive);
      } catch (error) {
        log.warn('no class archive could be made: brokers start slower', { error });
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  };
}
