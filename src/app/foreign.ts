// Which databases that are not ours a data folder has worked with. Without passwords.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Options } from './options.ts';

const URL_OPTIONS = ['shopUrl', 'crmUrl', 'dwhUrl'] as const;
type UrlOption = (typeof URL_OPTIONS)[number];

/** Host and database, by the option that named them. */
export type Foreign = { readonly [K in UrlOption]?: string };

/** Where it is remembered. */
export const foreignFile = (dataDir: string): string => join(resolve(dataDir), 'foreign.json');

/** Remembers the databases that the options name, beside those remembered before. */
export function rememberForeign(options: Options): void {
  const named = URL_OPTIONS.flatMap((name) => {
    const url = options[name];
    return url === null ? [] : [[name, place(url)] as const];
  });
  const known = foreignOf(options.dataDir);
  if (named.every(([name, where]) => known[name] === where)) return;
  mkdirSync(resolve(options.dataDir), { recursive: true });
  writeFileSync(foreignFile(options.dataDir), JSON.stringify({ ...known, ...Object.fromEntries(named) }));
}

/** What was remembered. */
export function foreignOf(dataDir: string): Foreign {
  try {
    return JSON.parse(readFileSync(foreignFile(dataDir), 'utf8')) as Foreign;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
}

const place = (url: string): string => {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
};
