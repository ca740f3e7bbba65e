// Reads our sources for the tests that judge them.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface SourceFile {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const sources = (pattern: string): SourceFile[] =>
  globSync(pattern, { cwd: ROOT })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => !path.includes('node_modules/') && !path.startsWith('dist/'))
    .sort()
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }));

const SPECIFIER = new RegExp(
  [
    String.raw`(?:^|[;}]\s*)(?:import|export)\s(?:[^'";]*?\sfrom\s)?\s*'([^']+)'`,
    String.raw`\bimport\(\s*'([^']+)'\s*\)`,
    String.raw`new URL\(\s*'(\.[^']+\.(?:ts|js))'`,
  ].join('|'),
  'gm',
);

/** What the file imports, or starts as a program: specifiers as written. */
export const specifiers = ({ text }: SourceFile): string[] =>
  [...text.matchAll(SPECIFIER)].map((match) => (match[1] ?? match[2] ?? match[3])!);

/** Relative imports as paths from the root. */
export const imports = (file: SourceFile): string[] =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(file.path), specifier)).replaceAll('\\', '/'));

/** The text with comments and the contents of strings blanked out, line for line as long. */
export function codeOnly(text: string): string {
  const token = /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
  return text.replace(token, (found) => found.replace(/[^\n]/g, ' '));
}
