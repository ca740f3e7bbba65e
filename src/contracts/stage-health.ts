/** Topic `stage_health`, key = `healthKey`: what a stage says of itself about once a second. */
export interface StageHealth {
  readonly stage: string;
  /** Which of several processes of the stage says it; absent where there is one. */
  readonly instance?: string;
  /** standby: another process does the work, this one waits to take over. */
  readonly state: 'starting' | 'standby' | 'running' | 'retrying' | 'stopped' | 'failed';
  /** When this was said (epoch ms). */
  readonly at: number;
  /** Records (capture: bytes of WAL) waiting to be processed; null where it is not known yet. */
  readonly lag: number | null;
  /** Unit of `lag`. */
  readonly lag_unit: 'records' | 'bytes';
  /** event_time or committed_at of the newest record processed (epoch ms), null before the first. */
  readonly newest_at: number | null;
  readonly processed: number;
  readonly errors: number;
  readonly dead_letters: number;
  readonly last_error: string | null;
  /** Further figures of this stage, by Prometheus-style name (late, too_late, retained_wal_bytes, …). */
  readonly figures: Readonly<Record<string, number>>;
}

export const healthKey = ({ stage, instance }: Pick<StageHealth, 'stage' | 'instance'>): string =>
  instance === undefined ? stage : `${stage}@${instance}`;
