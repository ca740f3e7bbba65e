// A class-data archive of the JVM: classes of a class path, parsed once, so that a program starts two to three times as
// fast.
import { hash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import type { Java } from './java.ts';

export interface ClassArchive {
  /** JVM options that use it; none while there is no archive. */
  options(): readonly string[];
  /**
   * Makes the archive, unless there is one: `train` is to run the program for a moment with these JVM options, its
   * files in that folder, and to end it politely. Without an archive everything works, only slower.
   */
  ensure(train: (options: readonly string[], folder: string) => Promise<void>): Promise<void>;
}

export interface ArchiveOptions {
  /** Made if missing. */
  readonly folder: string;
  readonly java: Java;
  /** As the JVM is given it: an archive is of use to the same Java and the same class path only. */
  readonly classPath: string;
  /** What is not made faster when it fails. */
  readonly program: string;
  readonly log: Log;
}

/** The JVM would say each time why an archive is of no use. */
const QUIET = ['-Xlog:cds=off', '-Xlog:cds+dynamic=off'];

export function classArchive({ folder, java, classPath, program, log }: ArchiveOptions): ClassArchive {
  const key = hash('sha256', `${java.version}\n${classPath}`).slice(0, 12);
  const archive = join(folder, `classes-${key}.jsa`);
  return {
    options: () => (existsSync(archive) ? [`-XX:SharedArchiveFile=${archive}`, ...QUIET] : []),
    async ensure(train) {
      if (existsSync(archive)) return;
      mkdirSync(folder, { recursive: true });
      const scratch = mkdtempSync(join(folder, 'training-'));
      const made = join(scratch, 'classes.jsa');
      try {
        await train([`-XX:ArchiveClassesAtExit=${made}`, ...QUIET], scratch);
        renameSync(made, archive);
      } catch (error) {
        log.warn(`no class archive could be made: ${program} starts slower`, { error });
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
    },
  };
}
