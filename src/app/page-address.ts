// Where the page of a data folder is served, for commands that run beside it.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const file = (dataDir: string): string => join(resolve(dataDir), 'page.json');

/** Remembers the page's address; returns how to forget it. */
export function rememberPage(dataDir: string, url: string): () => void {
  writeFileSync(file(dataDir), JSON.stringify({ url }));
  return () => rmSync(file(dataDir), { force: true });
}

/** The page's address, null where none is served. After a kill -9 nobody answers there. */
export function pageAddress(dataDir: string): string | null {
  try {
    return (JSON.parse(readFileSync(file(dataDir), 'utf8')) as { readonly url: string }).url;
  } catch {
    return null;
  }
}
