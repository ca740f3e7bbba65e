// Writes the types of the Spark Connect client from its .proto files: `npm run proto`. The tools come through npx and
// are no dependency: what they write is committed.
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './node.js';

const TOOLS = ['@bufbuild/buf@1.75.0', '@bufbuild/protoc-gen-es@2.17.0'];
const folder = join(root, 'src', 'stages', 'metrics', 'spark', 'connect');
const template = {
  version: 'v2',
  plugins: [
    {
      local: 'protoc-gen-es',
      out: join(folder, 'generated'),
      opt: ['target=ts', 'import_extension=ts', 'erasable_syntax=true'],
    },
  ],
};

rmSync(join(folder, 'generated'), { recursive: true, force: true });
const packages = TOOLS.flatMap((tool) => ['--package', tool]);
const command = ['buf', 'generate', join(folder, 'proto'), '--template', JSON.stringify(template)];
const { status } = spawnSync('npx', ['--yes', ...packages, ...command], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
