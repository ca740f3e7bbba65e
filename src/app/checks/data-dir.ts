import { accessSync, constants, mkdirSync, statfsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Check } from './checks.ts';

const FREE_BYTES_MIN = 500e6;

/** Whether the data folder can be written and has room. */
export const dataDirCheck: Check = async ({ options }) => {
  const dir = resolve(options.dataDir);
  try {
    mkdirSync(dir, { recursive: true });
    accessSync(dir, constants.W_OK);
  } catch (error) {
    return [
      {
        severity: 'error',
        what: `the data folder ${dir} cannot be written (${(error as NodeJS.ErrnoException).code})`,
        remedy: 'Make it writable for this user, or name another one: --data-dir',
      },
    ];
  }
  const { bavail, bsize } = statfsSync(dir);
  const free = bavail * bsize;
  if (free >= FREE_BYTES_MIN) return [];
  return [
    {
      severity: 'error',
      what: `only ${Math.round(free / 1e6)} MB are free where ${dir} lies; it needs ${FREE_BYTES_MIN / 1e6} MB`,
      remedy: 'Free some room, or name a folder on another disk: --data-dir',
    },
  ];
};
