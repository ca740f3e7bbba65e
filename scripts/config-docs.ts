// Writes docs/config.md: `npm run docs`.
import { writeFileSync } from 'node:fs';
import { configPage } from '../src/app/help.ts';
import { OPTIONS } from '../src/app/options.ts';

writeFileSync(new URL('../docs/config.md', import.meta.url), configPage(OPTIONS));
