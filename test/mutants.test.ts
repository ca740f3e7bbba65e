// The defects of `npm run test:mutants` can be planted: whoever changes a guard learns at once that its defect moved.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MUTANTS } from '../scripts/mutants-list.ts';
import { ROOT } from './support/checker.ts';

test('the text of every planted defect stands once in its file', () => {
  const misplaced = MUTANTS.filter(
    ({ file, replace }) => readFileSync(join(ROOT, file), 'utf8').split(replace).length !== 2,
  );
  assert.deepEqual(
    misplaced.map(({ name, file }) => `${name}: ${file}`),
    [],
  );
  assert.ok(MUTANTS.length >= 18);
});
