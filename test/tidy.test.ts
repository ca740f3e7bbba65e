// Style as a test: sizes, names, and what must not stand in our sources.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { codeOnly, imports, type SourceFile, sources } from './support/checker.ts';

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const LINE_CHARS_MAX = 120;

const isTest = (path: string): boolean => /\.(test|suite)\.ts$|^test\/|\/testing\//.test(path);
/** Written by a tool (`npm run proto`): nobody reads or mends it by hand, so the rules are not for it. */
const isGenerated = (path: string): boolean => path.includes('/generated/');
const isCode = (path: string): boolean => /\.(ts|tsx|js)$/.test(path);

type Rule = (file: SourceFile) => string[];

const lines = (text: string): string[] => text.trimEnd().split('\n');

const fileLength: Rule = ({ text }) => {
  const { length } = lines(text);
  return length > FILE_LINES_MAX ? [`${length} lines`] : [];
};

const lineLength: Rule = ({ text }) =>
  lines(text).flatMap((line, index) =>
    line.length > LINE_CHARS_MAX ? [`line ${index + 1} has ${line.length} characters`] : [],
  );

/**
 * A block that opens with a function's head and closes at the same indentation (the formatter sees to that). Functions
 * inside count for themselves, not for the one around them.
 */
const functionLength: Rule = ({ path, text }) => {
  // A describe block is no function of ours, but a list.
  if (!isCode(path) || isTest(path)) return [];
  const all = lines(text);
  const functions = all.flatMap((line, start) => {
    if (!/(=>|\)(: [^=]+)?) \{$/.test(line) || /^\s*(if|for|while|switch|\} else)\b/.test(line)) return [];
    const indent = /^\s*/.exec(line)![0];
    const end = all.findIndex((other, at) => at > start && other.startsWith(`${indent}}`));
    return [{ start, end }];
  });
  return functions.flatMap(({ start, end }) => {
    const isInside = (at: number): boolean =>
      functions.some(
        (other) => other.start > start && other.start < at && at <= other.end && other.end < end,
      );
    const own = all.slice(start, end + 1).filter((_, index) => !isInside(start + index)).length;
    return own > FUNCTION_LINES_MAX ? [`the function at line ${start + 1} has ${own} lines`] : [];
  });
};

const fileName: Rule = ({ path }) => {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return /^[a-z0-9]+([.-][a-z0-9]+)*$/.test(name) ? [] : ['the name is not kebab-case'];
};

const FORBIDDEN: readonly {
  readonly what: RegExp;
  readonly why: string;
  readonly where: (path: string) => boolean;
}[] = [
  {
    what: /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(/,
    why: 'time and chance come in as arguments',
    where: (p) => isOurs(p) && !p.startsWith('src/lib/') && !isWeb(p),
  },
  {
    what: /\bconsole\.\w+\(/,
    why: 'only app speaks to people',
    where: (p) => isOurs(p) && !p.startsWith('src/app/'),
  },
  { what: /\bas any\b|: any\b|<any>/, why: 'no any', where: isCode },
  { what: /\.(only|todo)\(/, why: 'a test is switched off or others are', where: (p) => isTest(p) },
];
const isOurs = (path: string): boolean => path.startsWith('src/') && !isTest(path);
const isWeb = (path: string): boolean => path.startsWith('src/stages/dashboard/web/');

const forbidden: Rule = ({ path, text }) => {
  if (!isCode(path)) return [];
  const code = lines(codeOnly(text));
  const marks = lines(text).flatMap((line, index) =>
    /(\/\/|\*).*\b(TODO|FIXME|XXX|HACK)\b/.test(line) || /@ts-(ignore|nocheck)/.test(line)
      ? [`line ${index + 1}: unfinished, or the type checker is silenced`]
      : [],
  );
  const words = FORBIDDEN.filter(({ where }) => where(path)).flatMap(({ what, why }) =>
    code.flatMap((line, index) => (what.test(line) ? [`line ${index + 1}: ${why}`] : [])),
  );
  return [...marks, ...words];
};

const RULES: readonly Rule[] = [fileLength, lineLength, functionLength, fileName, forbidden];

const judge = (files: readonly SourceFile[], exempt: readonly string[] = []): string[] =>
  files
    .filter(({ path }) => !exempt.includes(path))
    .flatMap((file) => RULES.flatMap((rule) => rule(file).map((fault) => `${file.path}: ${fault}`)));

/** Files that nobody imports and that are not where something starts. */
function deadFiles(files: readonly SourceFile[]): string[] {
  const used = new Set(files.flatMap(imports));
  const starts = (path: string): boolean =>
    /\.test\.ts$|^(bench|scripts|bin)\/|^src\/app\/main\.ts$|\/vite\.config\.ts$|\/web\/main\.tsx$/.test(
      path,
    );
  /** Programs that tests start are named, not imported. */
  const isNamed = ({ path }: SourceFile): boolean => {
    const name = path.slice(path.lastIndexOf('/') + 1);
    return isTest(path) && files.some((other) => other.path !== path && other.text.includes(name));
  };
  return files
    .filter((file) => !used.has(file.path) && !starts(file.path) && !isNamed(file))
    .map(({ path }) => path);
}

describe('tidy', () => {
  const files = sources('{src,test,bench,scripts,bin}/**/*.{ts,tsx,js,css,sql}').filter(
    ({ path }) => !isGenerated(path),
  );

  test('sizes, names, and what must not stand in the sources', () => {
    assert.ok(files.length > 150, 'the sources are found');
    assert.deepEqual(judge(files, ['test/tidy.test.ts']), []);
  });

  test('no file is dead', () => {
    const code = files.filter(({ path }) => isCode(path));
    assert.deepEqual(deadFiles(code), []);
  });

  test('half of the files have at most 150 lines', () => {
    const sizes = files.map(({ text }) => lines(text).length).sort((a, b) => a - b);
    assert.ok(sizes[Math.floor(sizes.length / 2)]! <= 150);
  });

  const body = '  work();\n';
  const PLANTED: readonly (readonly [name: string, path: string, text: string])[] = [
    ['a long file', 'src/lib/long.ts', 'work();\n'.repeat(FILE_LINES_MAX + 1)],
    ['a long line', 'src/lib/wide.ts', `// ${'x'.repeat(LINE_CHARS_MAX)}`],
    ['a long function', 'src/lib/deep.ts', `function deep(): void {\n${body.repeat(FUNCTION_LINES_MAX)}}`],
    [
      'a long arrow',
      'src/lib/deep.ts',
      `const deep = (a: number): number => {\n${body.repeat(FUNCTION_LINES_MAX)}};`,
    ],
    ['a name', 'src/lib/BadName.ts', 'work();'],
    ['a clock', 'src/stages/loader/loader.ts', 'const at = Date.now();'],
    ['chance', 'src/stores/shop/shop.ts', 'const share = Math.random();'],
    ['speech', 'src/stages/loader/loader.ts', "console.log('here');"],
    ['any', 'src/lib/loose.ts', 'const loose = value as any;'],
    ['unfinished', 'src/lib/later.ts', '// TODO: later'],
    ['a silenced checker', 'src/lib/silent.ts', '// @ts-ignore'],
    ['a lone test', 'src/lib/clock.test.ts', "test.only('this', () => {});"],
  ];
  for (const [name, path, text] of PLANTED) {
    test(`finds a planted violation: ${name}`, () => assert.equal(judge([{ path, text }]).length, 1));
  }

  test('finds a planted dead file', () => {
    const used: SourceFile = { path: 'src/app/main.ts', text: "import '../lib/clock.ts';" };
    const clock: SourceFile = { path: 'src/lib/clock.ts', text: '' };
    const dead: SourceFile = { path: 'src/lib/dead.ts', text: '' };
    assert.deepEqual(deadFiles([used, clock, dead]), ['src/lib/dead.ts']);
  });

  test('words in comments and strings are no violation', () => {
    const text = "// Date.now() is not called here\nconst said = 'Math.random()';";
    assert.deepEqual(judge([{ path: 'src/stages/loader/loader.ts', text }]), []);
  });
});
