import { readFileSync } from 'node:fs';

const description = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');

export const VERSION: string = JSON.parse(description).version;
