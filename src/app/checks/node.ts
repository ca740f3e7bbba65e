import type { Check } from './checks.ts';

const MAJOR_MIN = 24;

/** Whether this Node runs TypeScript unbuilt and has node:sqlite. */
export const nodeCheck: Check = async () =>
  Number.parseInt(process.versions.node, 10) >= MAJOR_MIN
    ? []
    : [
        {
          severity: 'error',
          what: `this is Node ${process.versions.node}; it needs Node ${MAJOR_MIN} or newer`,
          remedy:
            'Start it with `npm start` or `bin/instashop.js`: they use the Node that npm installed here.',
        },
      ];
