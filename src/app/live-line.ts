import type { StageHealth } from '../contracts/stage-health.ts';
import type { Clock } from '../lib/clock.ts';
import type { Supervised } from './supervise.ts';
import type { Terminal } from './terminal.ts';

const LIVE_MS = 500;
const PLAIN_MS = 10_000;

const shown = (value: number): string =>
  value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');

const bytes = (value: number): string =>
  value < 1e6 ? `${Math.round(value / 1e3)} kB` : `${Math.round(value / 1e6)} MB`;

/** The system's figures in one line: how much comes, what waits, how old the page's numbers are. */
export function figuresLine(
  health: readonly StageHealth[],
  before: ReadonlyMap<string, number>,
  now: number,
  elapsedMs: number,
): string {
  const of = (stage: string) => health.find((one) => one.stage === stage);
  const perSecond = (stage: string): number | null => {
    const processed = of(stage)?.processed;
    const last = before.get(stage);
    return processed === undefined || last === undefined ? null : ((processed - last) * 1000) / elapsedMs;
  };
  const parts: string[] = [];
  const sales = of('generator')?.figures['achieved_sales_per_second'];
  if (sales !== undefined) parts.push(`${shown(sales)} sales/s`);
  const events = perSecond('capture');
  if (events !== null) parts.push(`${shown(events)} events/s`);
  const waiting = health.filter(({ lag, stage }) => lag && stage !== 'generator');
  for (const { stage, lag, lag_unit } of waiting) {
    parts.push(`${stage} ${lag_unit === 'bytes' ? bytes(lag!) : `${shown(lag!)} records`} behind`);
  }
  const newest = of('dashboard')?.newest_at;
  if (newest) parts.push(`newest sale on the page ${shown(Math.max(0, now - newest) / 1000)} s old`);
  const letters = health.reduce((sum, one) => sum + one.dead_letters, 0);
  if (letters > 0) parts.push(`${letters} dead letters`);
  for (const { stage, state } of health) if (state !== 'running') parts.push(`${stage} ${state}`);
  return parts.join(' · ');
}

/** Shows the figures until the signal aborts: in place in a terminal, else a line every 10 s. */
export async function showFigures(
  { stages, clock, terminal }: { stages: readonly Supervised[]; clock: Clock; terminal: Terminal },
  signal: AbortSignal,
): Promise<void> {
  let before = new Map<string, number>();
  let at = clock.now();
  while (!signal.aborted) {
    const health = stages.map((stage) => stage.health());
    const now = clock.now();
    const line = figuresLine(health, before, now, Math.max(1, now - at));
    if (terminal.live) terminal.status(line);
    else if (line) terminal.line(`${new Date(now).toISOString()} ${line}`);
    before = new Map(health.map(({ stage, processed }) => [stage, processed]));
    at = now;
    await clock.sleep(terminal.live ? LIVE_MS : PLAIN_MS, signal);
  }
  terminal.status('');
}
