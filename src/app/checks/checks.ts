// What is looked at before a start. Each concern is a file; each finding says what to do about it.
import type { Clock } from '../../lib/clock.ts';
import type { Finding } from '../../lib/finding.ts';
import type { Log } from '../../lib/log.ts';
import type { Options } from '../options.ts';
import type { StageName } from '../stage-names.ts';
import { alertsCheck } from './alerts.ts';
import { binariesCheck } from './binaries.ts';
import { clusterCheck } from './cluster.ts';
import { dataDirCheck } from './data-dir.ts';
import { databasesCheck } from './databases.ts';
import { nodeCheck } from './node.ts';
import { pageCheck } from './page.ts';
import { portsCheck } from './ports.ts';
import { usersCheck } from './users.ts';

export interface CheckContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly options: Options;
  readonly stages: readonly StageName[];
  /** Whether the embedded PostgreSQL is to be started by this process. */
  readonly startsPostgres: boolean;
  /** It runs already: its ports are taken, by itself. */
  readonly runs?: boolean;
}

export type Check = (context: CheckContext) => Promise<readonly Finding[]>;

const CHECKS: readonly Check[] = [
  nodeCheck,
  dataDirCheck,
  binariesCheck,
  pageCheck,
  usersCheck,
  alertsCheck,
  portsCheck,
  databasesCheck,
  clusterCheck,
];

export const findings = async (context: CheckContext): Promise<readonly Finding[]> =>
  (await Promise.all(CHECKS.map((check) => check(context)))).flat();

export const findingText = ({ severity, what, remedy }: Finding): string =>
  `${severity === 'error' ? '✗' : '!'} ${what}\n  → ${remedy}`;
