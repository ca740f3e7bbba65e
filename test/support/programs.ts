// PostgreSQL's own programs, as a person would use them.
import { spawn, spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';

type Program = 'psql' | 'pgbench';

/** Where Debian keeps those that are not on the path. */
const pathOf = (program: Program): string | null =>
  [program, ...globSync(`/usr/lib/postgresql/*/bin/${program}`)].find(
    (path) => spawnSync(path, ['--version']).status === 0,
  ) ?? null;

interface Skippable {
  skip(why: string): void;
}

/** Runs the program with these arguments and input; rejects with what it said when it fails. */
export type RunProgram = (args: readonly string[], input?: string) => Promise<string>;

/** null, with the test skipped, where the program is not installed. In CI that is a fault. */
export function program(t: Skippable, name: Program): RunProgram | null {
  const path = pathOf(name);
  if (path === null) {
    if (process.env['CI']) throw new Error(`${name} is not installed`);
    t.skip(`${name} is not installed (Debian: postgresql-client, postgresql-contrib)`);
    return null;
  }
  return (args, input = '') =>
    new Promise((resolve, reject) => {
      const child = spawn(path, args, { stdio: 'pipe' });
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += part));
      child.once('error', reject);
      child.once('close', (code) => (code === 0 ? resolve(said) : reject(new Error(`${name}: ${said}`))));
      child.stdin.end(input);
    });
}
