// Runs the benchmarks one after the other: `npm run bench`, or `npm run bench -- engine log` for some of them.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './node.js';

/** Parts of benchmarks, no benchmarks themselves. */
const PARTS = ['result', 'run', 'process-usage', 'latency', 'sse-viewers'];

const all = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))
  .filter((name) => !PARTS.includes(name));
const wanted = process.argv.length > 2 ? process.argv.slice(2) : all;

let failed = false;
for (const name of wanted) {
  console.log(`\n── ${name}`);
  const { status } = spawnSync(process.execPath, [join(root, 'bench', `${name}.ts`)], {
    cwd: root,
    stdio: 'inherit',
  });
  failed ||= status !== 0;
}
process.exit(failed ? 1 : 0);
