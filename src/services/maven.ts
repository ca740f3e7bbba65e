// Jars from Maven Central, or from a mirror of it.
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { download, type RemoteFile } from './download.ts';

const MAVEN_URL = 'https://repo1.maven.org/maven2';
const MAVEN_VARIABLE = 'INSTASHOP_MAVEN_URL';

export interface InstallationOptions {
  /** Shared by all runs of the user (default: cacheFolder()). */
  readonly cacheDir?: string | undefined;
  /** Where the jars come from (default: $INSTASHOP_MAVEN_URL, else Maven Central). */
  readonly mavenUrl?: string | undefined;
  readonly onProgress?: ((bytes: number, bytesAll: number) => void) | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** Fetches the jars that the folder lacks; rejects as download() does. */
export function downloadJars(
  files: readonly RemoteFile[],
  folder: string,
  { mavenUrl, onProgress, clock }: InstallationOptions,
): Promise<void> {
  const baseUrl = mavenUrl || process.env[MAVEN_VARIABLE] || MAVEN_URL;
  return download({ baseUrl, variable: MAVEN_VARIABLE, folder, files, onProgress, clock });
}
