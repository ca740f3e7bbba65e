// CPU and memory of a process and all it started, from /proc (Linux).
import { readdirSync, readFileSync } from 'node:fs';
import { systemClock } from '../src/lib/clock.ts';

const TICK_MS = 10;

interface Process {
  readonly pid: number;
  readonly parent: number;
  /** What it is to us: processes of one name are added up. */
  readonly name: string;
  /** User and system time, with that of children it has waited for. */
  readonly cpuMs: number;
}

function read(pid: number): Process | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat
      .slice(stat.lastIndexOf(') ') + 2)
      .split(' ')
      .map(Number);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
    const cpu = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
    return { pid, parent: fields[1]!, name: nameOf(command), cpuMs: cpu * TICK_MS };
  } catch {
    return null;
  }
}

/** PostgreSQL says in its title what a process does: `postgres: user database 127.0.0.1(1234) INSERT`. */
function nameOf(command: string): string {
  const stage = /main\.ts run (\S+)/.exec(command)?.[1];
  if (stage) return stage.startsWith('--') ? 'node' : `node ${stage}`;
  if (command.startsWith('postgres: walsender')) return 'postgres walsender';
  const database = /^postgres: \S+ (\w+) 127\./.exec(command)?.[1];
  if (database) return `postgres ${database}`;
  if (command.includes('postgres')) return 'postgres itself';
  return command.slice(0, 30);
}

/** The process and all below it, as of now. */
export function processesBelow(root: number): readonly Process[] {
  const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (read(Number(name)) ?? []) : []));
  const below = new Set([root]);
  for (let size = 0; size !== below.size; ) {
    size = below.size;
    for (const { pid, parent } of all) if (below.has(parent)) below.add(pid);
  }
  return all.filter(({ pid }) => below.has(pid));
}

export interface CpuShare {
  readonly name: string;
  /** Of one core. */
  readonly share: number;
}

/** CPU time that anything on the machine has used, idle and waiting time left out. */
function machineCpuMs(): number {
  const [user, nice, system, , , irq, softirq, steal] = readFileSync('/proc/stat', 'utf8')
    .split('\n', 1)[0]!
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) * TICK_MS;
}

/** What of a core they take over so long a time, by name and in all; and what everything else on the machine takes. */
export async function cpuShares(root: number, durationMs: number): Promise<readonly CpuShare[]> {
  const before = new Map(processesBelow(root).map(({ pid, cpuMs }) => [pid, cpuMs]));
  const machineBefore = machineCpuMs();
  const startedAt = performance.now();
  await systemClock.sleep(durationMs);
  const passedMs = performance.now() - startedAt;
  const machine = (machineCpuMs() - machineBefore) / passedMs;
  const byName = new Map<string, number>();
  for (const { pid, name, cpuMs } of processesBelow(root)) {
    byName.set(name, (byName.get(name) ?? 0) + (cpuMs - (before.get(pid) ?? 0)) / passedMs);
  }
  const all = [...byName.values()].reduce((sum, share) => sum + share, 0);
  const others = { name: 'everything else on the machine', share: machine - all };
  return [{ name: 'all', share: all }, ...Array.from(byName, ([name, share]) => ({ name, share })), others];
}

export interface Memory {
  readonly name: string;
  readonly rssMb: number;
  readonly pssMb: number;
}

/** By name and in all. Shared pages count once in PSS and in each process in RSS. */
export function usageOf(processes: readonly Process[]): readonly Memory[] {
  const byName = new Map<string, { rssMb: number; pssMb: number }>();
  for (const { pid, name } of processes) {
    const text = rollup(pid);
    const megabytes = (field: string) =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1] ?? 0) / 1_024);
    for (const key of ['all', name]) {
      const sum = byName.get(key) ?? { rssMb: 0, pssMb: 0 };
      sum.rssMb += megabytes('Rss');
      sum.pssMb += megabytes('Pss');
      byName.set(key, sum);
    }
  }
  return Array.from(byName, ([name, sum]) => ({ name, ...sum }));
}

function rollup(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  } catch {
    return '';
  }
}
