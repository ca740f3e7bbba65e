import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { UserError } from '../lib/errors.ts';

export interface Java {
  readonly program: string;
  readonly major: number;
  /** What it says of itself, to tell one installation from another. */
  readonly version: string;
}

/** Kafka 4 brokers and Spark 4 need it. */
export const JAVA_MAJOR_MIN = 17;

const INSTALL =
  'Install a Java runtime (Debian, Ubuntu: `apt install openjdk-17-jre-headless`; macOS: `brew install openjdk`), ' +
  'or set JAVA_HOME to one.';

const INSTEAD = {
  Kafka: 'Or use servers of your own: --kafka-brokers.',
  Spark: 'Or count without Spark: --metrics-engine embedded.',
};

const remedyOf = (server: keyof typeof INSTEAD): string => `${INSTALL} ${INSTEAD[server]}`;

/**
 * The Java of JAVA_HOME, else of the path, for a server of this name. Rejects with a UserError where there is none or
 * it is too old.
 */
export function findJava(
  server: keyof typeof INSTEAD,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Java {
  const home = environment['JAVA_HOME'];
  const program = home ? join(home, 'bin', 'java') : 'java';
  const { error, status, stderr } = spawnSync(program, ['-version'], { encoding: 'utf8', env: environment });
  if (error || status !== 0) {
    const why = error ? (error as NodeJS.ErrnoException).code : stderr.trim().split('\n')[0];
    throw new UserError(`${server} needs Java, and \`${program}\` does not run (${why})`, remedyOf(server));
  }
  const [, first, second] = /version "(\d+)(?:\.(\d+))?/.exec(stderr) ?? [];
  // Up to 8 it called itself 1.x.
  const major = Number(first === '1' ? second : first);
  if (!(major >= JAVA_MAJOR_MIN)) {
    throw new UserError(
      `${server} needs Java ${JAVA_MAJOR_MIN} or newer, this is ${major}`,
      remedyOf(server),
    );
  }
  return { program, major, version: stderr.trim() };
}
