// A panel's figures as rows and columns: shown as a table, and saved as CSV.

export type Cell = string | number | null;

export interface Column {
  /** Of the CSV: the same in every language. */
  readonly name: string;
  /** Of the table; null: in the CSV only. */
  readonly label: string | null;
  /** money: minor units, in the sheet's currency. time: epoch ms. */
  readonly kind: 'text' | 'count' | 'money' | 'time';
}

export interface Sheet {
  /** Also the file's name. */
  readonly id: string;
  readonly title: string;
  readonly columns: readonly Column[];
  readonly currency?: string;
  /** Made when they are looked at. */
  readonly rows: () => readonly (readonly Cell[])[];
}

function textOf(cell: Cell, { kind }: Column): string {
  if (cell === null) return '';
  if (kind === 'time') return new Date(Number(cell)).toISOString();
  if (kind === 'money') return (Number(cell) / 100).toFixed(2);
  if (typeof cell === 'number') return String(cell);
  // A spreadsheet takes what begins so for a formula, and these texts were written by strangers.
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** RFC 4180, with a byte order mark (spreadsheets guess otherwise); amounts in units, times in UTC. */
export function csvOf({ columns, currency, rows }: Sheet): string {
  const hasMoney = columns.some(({ kind }) => kind === 'money');
  const names = columns.map(({ name }) => name);
  const lines = rows().map((row) => columns.map((column, index) => textOf(row[index] ?? null, column)));
  const all = [names, ...lines].map((line, index) =>
    hasMoney ? [...line, index === 0 ? 'currency' : (currency ?? '')] : line,
  );
  return `\ufeff${all.map((line) => `${line.join(',')}\r\n`).join('')}`;
}
