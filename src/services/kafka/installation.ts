// What runs Kafka: its jars from Maven Central, a Java, and a class archive that makes a start three times as fast.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ClassArchive, classArchive } from '../class-archive.ts';
import { cacheFolder, type RemoteFile } from '../download.ts';
import { findJava } from '../java.ts';
import { downloadJars, type InstallationOptions } from '../maven.ts';
import { JVM_OPTIONS } from './settings.ts';

/** Pinned: Kafka and what it needs to run, each with its digest. */
const JARS = JSON.parse(readFileSync(new URL('jars.json', import.meta.url), 'utf8')) as readonly RemoteFile[];

/** Of the jars. */
export const KAFKA_VERSION = '4.3.1';

export interface Installation {
  /** The command line that runs a main class of the jars. */
  command(mainClass: string, args: readonly string[], options?: readonly string[]): readonly string[];
  /** See ClassArchive.ensure. */
  readonly ensureArchive: ClassArchive['ensure'];
}

/** Rejects with a UserError without Java, network or room. */
export async function installKafka(options: InstallationOptions): Promise<Installation> {
  const { cacheDir = cacheFolder(), log } = options;
  const java = findJava('Kafka');
  const folder = join(cacheDir, `kafka-${KAFKA_VERSION}`);
  const jars = join(folder, 'jars');
  await downloadJars(JARS, jars, options);
  const classPath = JARS.map(({ path }) => join(jars, path)).join(':');
  const archive = classArchive({ folder, java, classPath, program: 'Kafka', log });
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
