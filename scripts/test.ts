// Runs the tests: `npm test` all that npm alone can serve, `npm run test:servers` the long ones and those that
// need programs from elsewhere, `npm run test:cluster` those with real Kafka and Redis servers, `npm run test:spark`
// those with a real Spark. With arguments after `--`: only files whose paths contain one of them.
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './node.js';

interface Group {
  readonly name: string;
  readonly wanted: (path: string) => boolean;
  readonly args: readonly string[];
}

const ends = (ending: string) => (path: string) => path.endsWith(ending);
const APART = ['--test-concurrency=2', '--test-timeout=120000'];
const isApart = (path: string): boolean =>
  /\.(pg|browser|long|servers|process|kafka|redis|cluster|spark)\.test\.ts$/.test(path);

const GROUPS: Readonly<Record<string, readonly Group[]>> = {
  npm: [
    {
      name: 'no server',
      wanted: (path) => !isApart(path),
      args: ['--test-isolation=none', '--test-timeout=60000'],
    },
    {
      name: 'PostgreSQL and processes',
      wanted: (path) => ends('.pg.test.ts')(path) || ends('.process.test.ts')(path),
      args: APART,
    },
    { name: 'browser', wanted: ends('.browser.test.ts'), args: APART },
  ],
  servers: [
    { name: 'servers', wanted: ends('.servers.test.ts'), args: APART },
    { name: 'long', wanted: ends('.long.test.ts'), args: ['--test-concurrency=1'] },
  ],
  cluster: [
    { name: 'Redis', wanted: ends('.redis.test.ts'), args: APART },
    {
      name: 'Kafka',
      wanted: ends('.kafka.test.ts'),
      args: ['--test-concurrency=1', '--test-timeout=300000'],
    },
    { name: 'cluster', wanted: ends('.cluster.test.ts'), args: ['--test-concurrency=1'] },
  ],
  spark: [
    {
      name: 'Spark',
      wanted: ends('.spark.test.ts'),
      args: ['--test-concurrency=1', '--test-timeout=600000'],
    },
  ],
};

const [first = 'npm', ...others] = process.argv.slice(2);
const [groups, only] = GROUPS[first] ? [GROUPS[first], others] : [GROUPS['npm']!, [first, ...others]];
const files = globSync('{src,test}/**/*.test.ts', { cwd: root })
  .filter((path) => only.length === 0 || only.some((part) => path.includes(part)))
  .sort();

const folder = mkdtempSync(join(tmpdir(), 'instashop-tests-'));
let failed = false;
for (const { name, wanted, args } of groups) {
  const chosen = files.filter(wanted);
  if (chosen.length === 0) continue;
  console.log(`\n── ${name}: ${chosen.length} files`);
  const tap = join(folder, 'tap');
  const reporters = ['spec', 'stdout', 'tap', tap].map(
    (value, i) => `--test-reporter${i % 2 ? '-destination' : ''}=${value}`,
  );
  const { status } = spawnSync(process.execPath, ['--test', ...reporters, ...args, ...chosen], {
    cwd: root,
    stdio: 'inherit',
  });
  failed ||= status !== 0;
  // Where everything is installed first, a skipped test is a fault.
  const skipped = process.env['CI'] ? readFileSync(tap, 'utf8').match(/^.* # SKIP.*$/gm) : null;
  if (skipped) console.log(`skipped, which must not happen here:\n${skipped.join('\n')}`);
  failed ||= skipped !== null;
}
rmSync(folder, { recursive: true });
process.exit(failed ? 1 : 0);
