import assert from 'node:assert/strict';
import test from 'node:test';
import { byTopic, conditionsSql, quoted } from './sql-text.ts';

const kinds = { n: 'integer', s: 'string', b: 'boolean' } as const;
const fieldOf = (name: string) => ({ kind: kinds[name as keyof typeof kinds] });

test('texts are literals whatever is in them', () => {
  assert.equal(quoted("it's \\ 1"), "'it\\'s \\\\ 1'");
});

test('conditions', () => {
  const sql = (condition: Parameters<typeof conditionsSql>[0]) => conditionsSql(condition, fieldOf);
  assert.equal(sql(undefined), 'true');
  assert.equal(sql([]), 'true');
  assert.equal(
    sql([
      { field: 's', is: 'x' },
      { field: 'n', is: 0 },
    ]),
    "(parsed.e.`s` = 'x') AND (parsed.e.`n` = 0D)",
  );
  assert.equal(sql([{ field: 'b', is: true }]), '(parsed.e.`b` = true)');
  assert.equal(sql([{ field: 's', is: null }]), '(parsed.e.`s` IS NULL)');
  assert.equal(sql([{ field: 's', in: ['a', 'b'] }]), "(parsed.e.`s` IN ('a', 'b'))");
  assert.equal(sql([{ field: 's', notIn: ['a'] }]), "(parsed.e.`s` NOT IN ('a'))");
});

test('what no value of the kind can be equal to never holds', () => {
  const sql = (condition: Parameters<typeof conditionsSql>[0]) => conditionsSql(condition, fieldOf);
  assert.equal(sql([{ field: 's', is: 0 }]), '(false)');
  assert.equal(sql([{ field: 'n', in: ['0'] }]), '(false)');
  assert.equal(sql([{ field: 'n', in: ['0', 1] }]), '(parsed.e.`n` IN (1D))');
  assert.equal(sql([{ field: 'n', notIn: ['0'] }]), '(parsed.e.`n` IS NOT NULL)');
});

test('topics with the same expression share it', () => {
  assert.equal(byTopic(new Map(), '0D'), '0D');
  const sql = byTopic(
    new Map([
      ['a', '1'],
      ['b', '2'],
      ['c', '1'],
    ]),
    '0',
  );
  assert.equal(
    sql.replaceAll('\n', ' '),
    "CASE WHEN topic IN ('a', 'c') THEN 1 WHEN topic IN ('b') THEN 2 ELSE 0 END",
  );
});
