// Plain JavaScript for any Node ≥ 18: finds the Node that runs the rest.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));
const MAJOR = 24;

/** Path of a Node ≥ 24: this one, or the one npm installed for this platform; null where there is neither. */
export function findNode() {
  if (Number.parseInt(process.versions.node, 10) >= MAJOR) return process.execPath;
  const platform = process.platform === 'win32' ? 'win' : process.platform;
  const folder = join(root, 'node_modules', `node-${platform}-${process.arch}`, 'bin');
  return [join(folder, 'node'), join(folder, 'node.exe')].find(existsSync) ?? null;
}

export const NO_NODE = [
  `This needs Node ${MAJOR} or newer; this is ${process.versions.node}, and npm installed no other one here.`,
  `  → Run \`npm ci\` (without --omit=optional), or install Node ${MAJOR} from https://nodejs.org and start again.`,
].join('\n');
