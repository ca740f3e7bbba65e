// Plain JavaScript for any Node ≥ 18. Makes a fresh clone ready: installs what is missing and, with `web`,
// builds the page.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findNode, NO_NODE, root } from './node.js';

const modifiedAt = (path) => (existsSync(path) ? statSync(path).mtimeMs : Number.NEGATIVE_INFINITY);

const newestIn = (folder) =>
  readdirSync(folder, { withFileTypes: true })
    .map((entry) =>
      entry.isDirectory() ? newestIn(join(folder, entry.name)) : modifiedAt(join(folder, entry.name)),
    )
    .reduce((newest, at) => Math.max(newest, at), Number.NEGATIVE_INFINITY);

function run(what, program, args, options = {}) {
  console.log(`${what} …`);
  const started = process.hrtime.bigint();
  const { status, error } = spawnSync(program, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error || status !== 0) {
    console.error(`${what} failed${error ? `: ${error.message}` : ''}`);
    process.exit(1);
  }
  console.log(`${what}: done in ${(Number(process.hrtime.bigint() - started) / 1e9).toFixed(1)} s`);
}

const lock = modifiedAt(join(root, 'package-lock.json'));
if (modifiedAt(join(root, 'node_modules', '.package-lock.json')) < lock) {
  // npm tells its children where it lies; that also works where `npm` is a shell script of Windows.
  const npm = process.env.npm_execpath;
  const args = ['ci', '--no-fund', '--no-audit', '--loglevel=error'];
  if (npm) run('Installing packages (once)', process.execPath, [npm, ...args]);
  else run('Installing packages (once)', 'npm', args, { shell: process.platform === 'win32' });
}

const node = findNode();
if (node === null) {
  console.error(NO_NODE);
  process.exit(1);
}

if (process.argv.includes('web')) {
  const sources = join(root, 'src', 'stages', 'dashboard', 'web');
  const newest = Math.max(newestIn(sources), modifiedAt(join(root, 'src', 'contracts', 'live.ts')), lock);
  if (modifiedAt(join(root, 'dist', 'web', 'index.html')) < newest) {
    const vite = join(root, 'node_modules', 'vite', 'bin', 'vite.js');
    const args = [vite, 'build', '-c', join(sources, 'vite.config.ts'), '--logLevel', 'warn'];
    run('Building the page', node, args);
  }
}
