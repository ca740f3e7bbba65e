import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../lib/clock.ts';
import { silentLog } from '../../lib/log.ts';
import { parseOptions } from '../option.ts';
import { OPTIONS } from '../options.ts';
import { alertsCheck } from './alerts.ts';

test('wrong rules are found before a start', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'instashop-alerts-'));
  t.after(() => rmSync(dir, { recursive: true }));
  const file = join(dir, 'alerts.json');
  const check = async (...args: string[]) => {
    const { values } = parseOptions(OPTIONS, args, {});
    const stages = ['dashboard'] as const;
    const context = { options: values, stages, startsPostgres: false, clock: systemClock, log: silentLog };
    return (await alertsCheck(context)).map(({ what }) => what).join();
  };
  assert.equal(await check(), '');
  assert.match(await check('--alerts', file), /cannot be read/);
  writeFileSync(file, '[{ "name": "Few", "figure": "sales", "minutes": 5 }]');
  assert.match(await check('--alerts', file), /wrong at rule 1/);
  writeFileSync(file, '[{ "name": "Few", "figure": "sales", "minutes": 5, "below": 1 }]');
  assert.equal(await check('--alerts', file), '');
});
