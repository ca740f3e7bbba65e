import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemClock } from '../lib/clock.ts';
import { silentLog } from '../lib/log.ts';
import { resetCommand } from './commands/reset.ts';
import { foreignFile, foreignOf, rememberForeign } from './foreign.ts';
import { takeLock } from './lock.ts';
import { parseOptions } from './option.ts';
import { OPTIONS } from './options.ts';

const dir = mkdtempSync(join(tmpdir(), 'instashop-foreign-'));
after(() => rmSync(dir, { recursive: true }));
const options = (...args: string[]) => parseOptions(OPTIONS, ['--data-dir', dir, ...args], {}).values;
const lines: string[] = [];
const reset = () =>
  resetCommand.run({
    options: options(),
    flags: { yes: true },
    args: [],
    clock: systemClock,
    log: silentLog,
    terminal: { live: false, line: (text) => lines.push(text), status() {}, columns: () => 80 },
  });

test('databases of others are remembered without their passwords, and reset wants them named', async () => {
  rememberForeign(options('--shop-url', 'postgres://me:secret@shop.example:5433/instashop'));
  rememberForeign(options('--dwh-url', 'postgres://me:secret@dwh.example/dwh?x=1'));
  assert.deepEqual(foreignOf(dir), {
    shopUrl: 'shop.example:5433/instashop',
    dwhUrl: 'dwh.example/dwh',
  });
  assert.doesNotMatch(readFileSync(foreignFile(dir), 'utf8'), /secret/);
  writeFileSync(join(dir, 'crash.log'), '');
  await assert.rejects(reset, {
    message: /shop\.example:5433\/instashop/,
    remedy: /INSTASHOP_SHOP_URL=.*--shop-url/,
  });
  assert.ok(existsSync(join(dir, 'crash.log')), 'nothing was removed');
  rmSync(foreignFile(dir));
  assert.equal(await reset(), 0);
  assert.equal(existsSync(join(dir, 'crash.log')), false);
});

test('reset leaves what a running stage uses', async () => {
  writeFileSync(join(dir, 'crash.log'), '');
  const lock = takeLock(dir, 'loader');
  await assert.rejects(reset, /loader runs already/);
  lock.release();
  assert.equal(await reset(), 0);
});
