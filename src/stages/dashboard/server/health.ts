import {
  type LiveProblem,
  type LiveStage,
  RETRYING_AFTER_MS,
  SILENT_AFTER_MS,
} from '../../../contracts/live.ts';

/** States that a stage reaches only at its end: its last report is its last word, however old. */
const FINAL: ReadonlySet<LiveStage['state']> = new Set(['failed', 'stopped']);

/**
 * What is wrong, judged from the newest reports. `expected` are the stages that must be there and running; of any
 * other stage only a fresh failure counts, because a report may be left over from a run that had more stages.
 * `stateSince` tells when a stage came into its present state, epoch ms.
 */
export function judge(
  reports: readonly LiveStage[],
  expected: readonly string[],
  nowMs: number,
  stateSince: (stage: string) => number,
): readonly LiveProblem[] {
  const byStage = new Map(reports.map((report) => [report.stage, report]));
  const names = new Set([...expected, ...byStage.keys()]);
  const problems: LiveProblem[] = [];
  for (const stage of names) {
    const report = byStage.get(stage);
    const required = expected.includes(stage);
    if (report === undefined) {
      problems.push({ stage, problem: 'missing', detail: 'It has not reported yet.' });
      continue;
    }
    const ageMs = nowMs - report.at;
    const fresh = ageMs <= SILENT_AFTER_MS;
    if (report.state === 'failed' && (required || fresh)) {
      problems.push({ stage, problem: 'failed', detail: report.last_error ?? 'It failed.' });
    } else if (report.state === 'stopped' && required) {
      problems.push({ stage, problem: 'stopped', detail: 'It was stopped and nobody took over.' });
    } else if (required && !fresh && !FINAL.has(report.state)) {
      problems.push({
        stage,
        problem: 'silent',
        detail: `Its last report is ${Math.round(ageMs / 1000)} s old.`,
      });
    } else if (report.state === 'standby' && required && nowMs - stateSince(stage) > SILENT_AFTER_MS) {
      problems.push({ stage, problem: 'missing', detail: 'It only stands by: no process does its work.' });
    } else if (report.state === 'retrying' && fresh && nowMs - stateSince(stage) > RETRYING_AFTER_MS) {
      problems.push({ stage, problem: 'retrying', detail: report.last_error ?? 'It tries again.' });
    }
  }
  return problems;
}
