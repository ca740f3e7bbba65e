// `npm run test:mutants`: are the guards of our guarantees guarded by tests? In a copy of the working tree one defect
// at a time is planted, by replacing a text that must be there exactly once, and the test named must fail. A defect
// that no test sees is printed as SURVIVED, and the exit code is 1. Arguments: only defects whose names hold one.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MUTANTS, type Mutant } from './mutants-list.ts';
import { root } from './node.js';

const TEST_MS_MAX = 60_000;

/** The working tree as it is now, new files included; the packages are shared. */
function copyOfTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'instashop-mutants-'));
  const { stdout } = spawnSync('git', ['ls-files', '-z', '-co', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  const files = stdout.split('\0').filter((path) => /^(src|test|package\.json|tsconfig\.json)/.test(path));
  if (files.length === 0) throw new Error('git lists no files here: run this in a clone');
  for (const path of files) cpSync(join(root, path), join(copy, path), { force: true });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'junction');
  return copy;
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/** Names of the tests that passed and failed, of those named. */
function runTests(copy: string, file: string, names: readonly string[]) {
  const args = ['--test', '--test-reporter=tap', `--test-timeout=${TEST_MS_MAX}`];
  const patterns = names.map((name) => `--test-name-pattern=/^${escaped(name)}$/`);
  const { stdout } = spawnSync(process.execPath, [...args, ...patterns, file], {
    cwd: copy,
    encoding: 'utf8',
    timeout: 2 * TEST_MS_MAX,
    maxBuffer: 64 << 20,
  });
  const results = [...stdout.matchAll(/^\s*(not ok|ok) \d+ - (.*?)(?: # .*)?$/gm)];
  const those = (verdict: string): ReadonlySet<string> =>
    new Set(results.filter(([, word]) => word === verdict).map(([, , name]) => unescaped(name!)));
  return { passed: those('ok'), failed: those('not ok'), output: stdout };
}

/** TAP escapes these two. */
const unescaped = (name: string): string => name.replaceAll('\\#', '#').replaceAll('\\\\', '\\');

/** The text with the defect in it. */
function planted({ name, file, replace, by }: Mutant, text: string): string {
  const found = text.split(replace).length - 1;
  if (found === 1) return text.replace(replace, () => by);
  throw new Error(
    `"${name}": its text stands ${found} times in ${file}. Bring scripts/mutants-list.ts up to date.`,
  );
}

/** Without a defect every named test must pass: else its failing would prove nothing. */
function assertPassing(copy: string, mutants: readonly Mutant[]): void {
  for (const [file, of] of Map.groupBy(mutants, ({ test }) => test.file)) {
    const names = [...new Set(of.map(({ test }) => test.name))];
    const { passed, output } = runTests(copy, file, names);
    const missing = names.filter((name) => !passed.has(name));
    if (missing.length > 0) {
      throw new Error(`without any defect ${file} does not pass: ${missing.join(' · ')}\n${output}`);
    }
  }
}

const wanted = process.argv.slice(2);
const mutants = MUTANTS.filter(
  ({ name }) => wanted.length === 0 || wanted.some((part) => name.includes(part)),
);
const copy = copyOfTree();
let survivors = 0;
try {
  for (const mutant of mutants) planted(mutant, readFileSync(join(copy, mutant.file), 'utf8'));
  assertPassing(copy, mutants);
  for (const mutant of mutants) {
    const path = join(copy, mutant.file);
    const text = readFileSync(path, 'utf8');
    const startedAt = performance.now();
    writeFileSync(path, planted(mutant, text));
    const { failed } = runTests(copy, mutant.test.file, [mutant.test.name]);
    writeFileSync(path, text);
    const caught = failed.has(mutant.test.name);
    if (!caught) survivors += 1;
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1).padStart(5);
    console.log(`${caught ? 'caught  ' : 'SURVIVED'} ${seconds} s  ${mutant.name}`);
    console.log(`                  ${mutant.file} · ${mutant.test.file}: ${mutant.test.name}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(`\n${mutants.length} defects planted, ${survivors} survived`);
process.exitCode = survivors > 0 || mutants.length === 0 ? 1 : 0;
