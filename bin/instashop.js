#!/usr/bin/env node
// Runs the command line on Node ≥ 24, whatever Node this is started with (≥ 18).
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { findNode, NO_NODE, root } from '../scripts/node.js';

const node = findNode();
if (node === null) {
  console.error(NO_NODE);
  process.exit(1);
}
const main = join(root, 'src', 'app', 'main.ts');
// The channel tells the child when this process is killed.
const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio });
// Ctrl-C reaches the child by itself, through the terminal; it drains, and this process waits for it.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
// npm ends its shell, and the shell tells nobody: whoever was started by it looks whether it is still there.
if (process.env.npm_lifecycle_event !== undefined) {
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 500).unref();
}
child.on('error', (error) => {
  console.error(`Cannot run ${node}: ${error.message}`);
  process.exitCode = 1;
});
child.on('exit', (code, signal) => {
  process.exitCode = signal === null ? (code ?? 1) : 1;
});
