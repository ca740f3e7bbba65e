import { renameSync, rmSync, writeFileSync } from 'node:fs';

/** Writes a file whole or not at all, readable by its owner only from its first byte on. */
export function writePrivate(path: string, text: string): void {
  rmSync(`${path}.new`, { force: true });
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
