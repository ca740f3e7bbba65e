// All benchmarks one after the other and one table of what they measured: node bench/run.ts [log capture …]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type BenchResult, isMet } from './result.ts';

/** Each runs in a process of its own, so that none meets the heap of the one before. */
const BENCHES = {
  log: async () => (await import('./log.ts')).bench(),
  capture: async () => (await import('./capture.ts')).bench(),
  loader: async () => (await import('./loader.ts')).bench(),
  people: async () => (await import('./people.ts')).bench(),
  engine: async () => (await import('./engine.ts')).bench(),
  finisher: async () => (await import('./finisher.ts')).bench(),
  kafka: async () => (await import('./kafka.ts')).bench(),
  sse: async () => (await import('./sse.ts')).bench(),
} as const satisfies Record<string, () => Promise<readonly BenchResult[]>>;

type BenchName = keyof typeof BENCHES;
const isBench = (name: string): name is BenchName => Object.hasOwn(BENCHES, name);

async function measure(name: BenchName): Promise<readonly BenchResult[]> {
  const child = fork(fileURLToPath(import.meta.url), [name], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let results: readonly BenchResult[] | null = null;
  child.on('message', (message) => {
    results = message as readonly BenchResult[];
  });
  const [code] = await once(child, 'exit');
  if (results === null || code !== 0) throw new Error(`the benchmark ${name} ended with code ${code}`);
  return results;
}

const shown = (value: number | undefined): string =>
  value === undefined ? '' : value.toLocaleString('en', { maximumSignificantDigits: value < 1_000 ? 3 : 6 });

function row(result: BenchResult): Record<string, string> {
  const met = isMet(result);
  return {
    name: result.name,
    value: `${shown(result.value)} ${result.unit}`,
    peer: result.peerValue === undefined ? (result.peer ?? '') : `${shown(result.peerValue)} ${result.peer}`,
    ratio: shown(result.ratio),
    target: result.target ?? '',
    'met?': met === null ? '' : met ? 'yes' : 'NO',
  };
}

/** A table whose columns are as wide as what they hold. */
function table(rows: readonly Record<string, string>[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const widths = columns.map((column) =>
    rows.reduce((width, cells) => Math.max(width, cells[column]!.length), column.length),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd();
  return [
    columns,
    widths.map((width) => '─'.repeat(width)),
    ...rows.map((cells) => columns.map((c) => cells[c]!)),
  ]
    .map(line)
    .join('\n');
}

async function main(names: readonly string[]): Promise<void> {
  const unknown = names.find((name) => !isBench(name));
  if (unknown) throw new Error(`there is no benchmark ${unknown}: ${Object.keys(BENCHES).join(', ')}`);
  const rows: Record<string, string>[] = [];
  for (const name of names.filter(isBench)) {
    console.error(`${name} …`);
    rows.push(...(await measure(name)).map(row));
  }
  console.log(table(rows));
}

const names = process.argv.slice(2);
if (process.send && names.length === 1) {
  const results = await BENCHES[names[0] as BenchName]();
  process.send(results, () => process.disconnect());
} else {
  await main(names.length > 0 ? names : Object.keys(BENCHES));
}
