import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { WEB_DIR } from '../pipeline.ts';
import type { Check } from './checks.ts';

/** Whether the page was built. */
export const pageCheck: Check = async ({ stages }) =>
  !stages.includes('dashboard') || existsSync(join(WEB_DIR, 'index.html'))
    ? []
    : [
        {
          severity: 'error',
          what: 'the page was not built',
          remedy: 'Run `node scripts/prepare.js web` (`npm start` does it by itself).',
        },
      ];
