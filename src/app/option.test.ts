import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { UserError } from '../lib/errors.ts';
import { configPage, optionLines } from './help.ts';
import { environmentOf, parseOptions } from './option.ts';
import { OPTIONS } from './options.ts';

const parse = (args: readonly string[], environment: Record<string, string> = {}) =>
  parseOptions(OPTIONS, args, environment);

const refusal = (args: readonly string[], environment: Record<string, string> = {}): UserError => {
  try {
    parse(args, environment);
  } catch (error) {
    assert.ok(error instanceof UserError);
    return error;
  }
  throw new Error('it was taken');
};

test('a flag wins over its variable, and both over the default', () => {
  assert.equal(parse([]).values.rate, 7);
  assert.equal(parse([], { INSTASHOP_RATE: '20' }).values.rate, 20);
  assert.equal(parse(['--rate', '30'], { INSTASHOP_RATE: '20' }).values.rate, 30);
  assert.equal(parse(['--rate=40']).values.rate, 40);
  assert.equal(parse([], { INSTASHOP_RATE: '' }).values.rate, 7);
});

test('what is no option stands apart, in order', () => {
  const { positionals, values } = parse(['capture', '--resnapshot', 'loader', '--data-dir', 'x']);
  assert.deepEqual(positionals, ['capture', 'loader']);
  assert.equal(values.resnapshot, true);
  assert.equal(values.dataDir, 'x');
});

test('an unknown option is refused with the nearest name', () => {
  assert.match(refusal(['--dashbord-port', '1']).remedy, /--dashboard-port\?/);
  assert.match(refusal(['--port', '1']).remedy, /--postgres-port or --dashboard-port\?/);
  assert.match(refusal(['--zzzzzzzz']).remedy, /help/);
});

test('a wrong value is refused with what may stand there', () => {
  assert.match(refusal(['--rate', 'fast']).message, /--rate cannot be "fast"/);
  assert.match(refusal(['--rate', '-1']).message, /--rate/);
  assert.match(refusal(['--dashboard-port', '70000']).remedy, /from 0 to 65535/);
  assert.match(refusal(['--dashboard-port', '80.5']).message, /80\.5/);
  assert.match(refusal(['--capture', 'guess']).remedy, /logical\|polling/);
  assert.match(refusal(['--rate']).message, /needs a value/);
  assert.match(refusal(['--rate', '--curve', 'on']).message, /needs a value/);
  assert.match(refusal(['--main-currency', 'dollars']).message, /dollars/);
  assert.match(refusal([], { INSTASHOP_RATE: 'x' }).message, /INSTASHOP_RATE/);
});

test('a secret is not repeated when it is refused', () => {
  const { message, remedy } = refusal(['--shop-url', 'mysql://me:hush@host/x']);
  assert.doesNotMatch(message + remedy, /hush/);
});

test('a process started with the variables of some values has the same values', () => {
  const args = [
    '--start-at',
    '2026-01-02T03:04:05Z',
    '--resnapshot',
    '--shop-url',
    'postgres://a:b@c/d',
    '--rate',
    '9',
  ];
  const { values } = parse(args);
  assert.equal(values.startAt, Date.UTC(2026, 0, 2, 3, 4, 5));
  assert.deepEqual(parse([], environmentOf(OPTIONS, values)).values, values);
});

test('every option is in the help, and docs/config.md is what the options say', () => {
  assert.equal(optionLines(OPTIONS).length, Object.keys(OPTIONS).length);
  const page = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
  assert.equal(page, configPage(OPTIONS), 'run `npm run docs`');
});
