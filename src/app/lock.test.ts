import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { takeLock, takeLocks } from './lock.ts';

test('a stage of a data folder is one process at a time, and free again after kill -9', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-lock-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const lock = new URL('./lock.ts', import.meta.url).href;
  const hold = `import { takeLock } from '${lock}';
    takeLock(process.argv[1], 'loader');
    console.log('held');
    setInterval(() => {}, 1e6);`;
  const holder = spawn(process.execPath, ['--input-type=module', '-e', hold, dir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => holder.kill('SIGKILL'));
  await once(holder.stdout!, 'data');
  assert.throws(() => takeLock(dir, 'loader'), new RegExp(`loader runs already .* process ${holder.pid}`));
  // None is kept when one is refused.
  assert.throws(() => takeLocks(dir, ['capture', 'loader']), /loader runs already/);
  takeLock(dir, 'capture').release();
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  takeLock(dir, 'loader').release();
});
