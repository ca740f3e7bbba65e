// What runs Spark: its jars from Maven Central as a folder that workers take for SPARK_HOME, a Java, and a class
// archive that halves the time of a start.
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ClassArchive, classArchive } from '../class-archive.ts';
import { cacheFolder, type RemoteFile } from '../download.ts';
import { findJava } from '../java.ts';
import { downloadJars, type InstallationOptions } from '../maven.ts';

/**
 * Pinned: Spark, its Connect server and its Kafka connector with what they need to run, each with its digest. Of what
 * their poms name, linear algebra and graphs are left out (nothing but model training uses them), and so are ZooKeeper
 * and TLS by native code.
 */
const JARS = JSON.parse(readFileSync(new URL('jars.json', import.meta.url), 'utf8')) as readonly RemoteFile[];

const LIST = hash('sha256', JSON.stringify(JARS));

/** Of the jars. */
export const SPARK_VERSION = '4.2.0';
const SCALA_VERSION = '2.13';

/** Bytes that a first start downloads. */
export const DOWNLOAD_BYTES = JARS.reduce((sum, { bytes }) => sum + bytes, 0);
/** Of the class archive that it makes. */
export const ARCHIVE_BYTES = 120e6;

export interface Installation {
  /** What the processes must find in their environment. */
  readonly environment: Readonly<Record<string, string>>;
  readonly archive: ClassArchive;
  /** The command line that runs a main class of the jars with these JVM options. */
  command(mainClass: string, args: readonly string[], options: readonly string[]): readonly string[];
}

const versionFolder = (cacheDir: string): string => join(cacheDir, `spark-${SPARK_VERSION}`);
const jarFolder = (cacheDir: string): string => join(versionFolder(cacheDir), 'jars');

/** Whether nothing needs to be downloaded any more. */
export const isInstalled = (cacheDir = cacheFolder()): boolean =>
  JARS.every(
    ({ path, bytes }) => statSync(join(jarFolder(cacheDir), path), { throwIfNoEntry: false })?.size === bytes,
  );

/** Rejects with a UserError without Java, network or room. */
export async function installSpark(options: InstallationOptions): Promise<Installation> {
  const { cacheDir = cacheFolder(), log } = options;
  const java = findJava('Spark');
  const folder = jarFolder(cacheDir);
  await downloadJars(JARS, folder, options);
  // Another list, another folder: whatever lies in it is on the class path.
  const home = join(versionFolder(cacheDir), `home-${LIST.slice(0, 12)}`);
  linkJars(home, folder);
  // As a worker builds it for its executors, letter by letter: one archive serves them all.
  const jars = join(home, 'jars');
  const slf4j = JARS.map(({ path }) => basename(path)).find((name) => name.startsWith('slf4j-api-'))!;
  const classPath = [`${join(home, 'conf')}/`, join(jars, slf4j), join(jars, '*')].join(':');
  const archive = classArchive({ folder: versionFolder(cacheDir), java, classPath, program: 'Spark', log });
  return {
    environment: {
      SPARK_HOME: home,
      SPARK_CONF_DIR: join(home, 'conf'),
      SPARK_SCALA_VERSION: SCALA_VERSION,
      SPARK_LOCAL_IP: '127.0.0.1',
      // A user's own Spark must not mix in.
      SPARK_DIST_CLASSPATH: '',
    },
    archive,
    command: (mainClass, args, more) => [java.program, ...more, '-cp', classPath, mainClass, ...args],
  };
}

/** Spark wants its jars in one flat folder. Its settings come from elsewhere, so `conf` stays empty. */
function linkJars(home: string, folder: string): void {
  mkdirSync(join(home, 'jars'), { recursive: true });
  mkdirSync(join(home, 'conf'), { recursive: true });
  for (const { path } of JARS) {
    try {
      symlinkSync(join(folder, path), join(home, 'jars', basename(path)));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
