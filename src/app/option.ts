// What an option is: it declares itself, and flags, environment, help and docs/config.md come from the declaration.
import { parseArgs } from 'node:util';
import { UserError } from '../lib/errors.ts';

export interface Option<T> {
  readonly default: T;
  /** How the default is shown, where that is not its own text. */
  readonly shown?: string;
  /** What may stand for the value in help: a unit, or the choices. */
  readonly unit: string;
  readonly description: string;
  /** Its value is a secret: never printed. */
  readonly secret?: boolean;
  /** A flag without a value. */
  readonly isSwitch?: boolean;
  /** null: not a value of this option. */
  parse(text: string): T | null;
}

export type OptionSet = Readonly<Record<string, Option<unknown>>>;
export type Values<S extends OptionSet> = {
  readonly [K in keyof S]: S[K] extends Option<infer T> ? T : never;
};

interface About {
  readonly unit?: string;
  readonly shown?: string;
  readonly description: string;
}
type Bounds = { readonly default: number; readonly min: number; readonly max: number };

export const number = (about: About & Bounds): Option<number> => ({
  unit: 'number',
  ...about,
  parse(text) {
    const value = Number(text);
    return text.trim() !== '' && value >= about.min && value <= about.max ? value : null;
  },
});

export const integer = (about: About & Bounds): Option<number> => {
  const base = number(about);
  const parse = (text: string): number | null => {
    const value = base.parse(text);
    return value !== null && Number.isInteger(value) ? value : null;
  };
  return { ...base, parse };
};

export const text = <T extends string | null>(
  about: About & { readonly default: T; readonly pattern?: RegExp },
): Option<T | string> => ({
  unit: 'text',
  ...about,
  parse: (value) => ((about.pattern ?? /./).test(value) ? value : null),
});

/** A connection string, by default of PostgreSQL; never printed. */
export const url = (about: About & { readonly schemes?: readonly string[] }): Option<string | null> => {
  const schemes = about.schemes ?? ['postgres', 'postgresql'];
  return {
    unit: `${schemes[0]}://user:password@host:port${about.schemes ? '' : '/database'}`,
    secret: true,
    ...about,
    default: null,
    parse: (value) => (schemes.includes(value.split('://')[0]!) && URL.canParse(value) ? value : null),
  };
};

/** A port to listen on; null: the usual one, or a free one where that is taken. */
export const port = (about: About & { readonly usual: number }): Option<number | null> => ({
  ...integer({ ...about, default: about.usual, min: 0, max: 65_535 }),
  unit: 'port',
  default: null,
  shown: `${about.usual}, or a free one where that is taken`,
});

/** A point in time: ISO 8601, or epoch ms. */
export const instant = (about: About): Option<number | null> => ({
  unit: 'ISO 8601 time',
  ...about,
  default: null,
  parse(value) {
    const at = /^-?\d+$/.test(value) ? Number(value) : Date.parse(value);
    return Number.isNaN(at) ? null : at;
  },
});

export const choice = <T extends string>(
  about: About & { readonly default: T; readonly choices: readonly T[] },
): Option<T> => ({
  ...about,
  unit: about.choices.join('|'),
  parse: (value) => about.choices.find((one) => one === value) ?? null,
});

export const flag = (about: About): Option<boolean> => ({
  unit: '',
  ...about,
  default: false,
  isSwitch: true,
  parse: (value) =>
    value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : null,
});

export const flagName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const variableName = (name: string): string =>
  `INSTASHOP_${flagName(name).replaceAll('-', '_').toUpperCase()}`;
export const shownDefault = ({ default: value, shown }: Option<unknown>): string =>
  shown ?? String(value ?? 'none');

export interface Parsed<S extends OptionSet> {
  readonly values: Values<S>;
  readonly positionals: readonly string[];
}

/**
 * Values from the arguments, else from INSTASHOP_… variables, else the defaults. An unknown option, or a text that is
 * no value of it, is a UserError; what is given is never printed where the option is a secret.
 */
export function parseOptions<S extends OptionSet>(
  set: S,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Parsed<S> {
  const byFlag = new Map(Object.keys(set).map((name) => [flagName(name), name]));
  const types = Object.entries(set).map(
    ([name, option]) => [flagName(name), { type: option.isSwitch ? 'boolean' : 'string' }] as const,
  );
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries(types),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const name = byFlag.get(token.name);
    if (name === undefined) throw unknownOption(token.rawName, [...byFlag.keys()]);
    const isMissing = token.value === undefined || (!token.inlineValue && token.value.startsWith('--'));
    if (isMissing && !set[name]!.isSwitch) throw wrongValue(`--${token.name}`, null, set[name]!);
    given.set(name, token.value ?? 'true');
  }
  const values = Object.entries(set).map(([name, option]) => {
    const fromFlag = given.get(name);
    const value = fromFlag ?? environment[variableName(name)];
    if (value === undefined || value === '') return [name, option.default];
    const parsed = option.parse(value);
    const source = fromFlag === undefined ? variableName(name) : `--${flagName(name)}`;
    if (parsed === null) throw wrongValue(source, value, option);
    return [name, parsed];
  });
  return { values: Object.fromEntries(values) as Values<S>, positionals };
}

function wrongValue(source: string, value: string | null, option: Option<unknown>): UserError {
  const shown = value === null ? 'needs a value' : option.secret ? 'is not valid' : `cannot be "${value}"`;
  const range = option as { readonly min?: number; readonly max?: number };
  const bounds = range.min === undefined ? '' : `, from ${range.min} to ${range.max}`;
  return new UserError(
    `${source} ${shown}`,
    `Give ${source} <${option.unit}>${bounds}. ${option.description}`,
  );
}

const unknownOption = (given: string, flags: readonly string[]): UserError => {
  const nearest = nearestOf(given.replace(/^-+/, ''), flags);
  return new UserError(
    `unknown option ${given}`,
    nearest === null ? 'See `instashop help` for all options.' : `Did you mean --${nearest}?`,
  );
};

/** The name closest to what was typed, or those of which it is a part; null where there is none. */
export function nearestOf(typed: string, names: readonly string[]): string | null {
  const [best] = names.map((name) => ({ name, far: distance(typed, name) })).sort((a, b) => a.far - b.far);
  if (best && best.far <= Math.max(2, typed.length / 3)) return best.name;
  const partly = names.filter((name) => name.split('-').includes(typed));
  return partly.length === 0 ? null : partly.join(' or --');
}

/** Levenshtein's edit distance. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const swap = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(swap, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}

/** The variables that give another process the same values. */
export function environmentOf<S extends OptionSet>(set: S, values: Values<S>): Record<string, string> {
  const entries = Object.keys(set).flatMap((name) => {
    const value: unknown = values[name];
    return value === null ? [] : [[variableName(name), String(value)] as const];
  });
  return Object.fromEntries(entries);
}
