// What a machine still has, looked at before servers are started on it.
import { mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { freemem } from 'node:os';
import type { Finding } from '../lib/finding.ts';

/** What programs may still take: on Linux more than what is free, since caches give way. */
function availableMemoryBytes(): number {
  try {
    const kib = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
    return kib === undefined ? freemem() : Number(kib) * 1_024;
  } catch {
    return freemem();
  }
}

/** Whether programs may still take so much; `instead` is what else a person can do. */
export function memoryFindings(bytesMin: number, instead: string): Finding[] {
  // macOS calls little free, whatever it could have.
  if (process.platform === 'darwin') return [];
  const available = availableMemoryBytes();
  if (available >= bytesMin) return [];
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(1);
  const what = `only ${gigabytes(available)} GB of memory are left; the servers need ${gigabytes(bytesMin)} GB`;
  return [{ severity: 'error', what, remedy: `Close some programs, or ${instead}` }];
}

/** Whether the folder, made if missing, can be written and has so much room; `option` names another one. */
export function spaceFindings(dir: string, bytesMin: number, option: string): Finding[] {
  try {
    mkdirSync(dir, { recursive: true });
    const { bavail, bsize } = statfsSync(dir);
    const free = bavail * bsize;
    if (free >= bytesMin) return [];
    const what = `only ${Math.round(free / 1e6)} MB are free where ${dir} lies; it needs ${bytesMin / 1e6} MB`;
    return [
      { severity: 'error', what, remedy: `Free some room, or name a folder on another disk: ${option}` },
    ];
  } catch (fault) {
    const { code } = fault as NodeJS.ErrnoException;
    const what = `the folder ${dir} cannot be written (${code})`;
    return [{ severity: 'error', what, remedy: `Make it writable, or name another: ${option}` }];
  }
}
