import { address, formats, setAddress, texts } from '../settings.ts';
import { type Cell, type Column, csvOf, type Sheet } from '../sheet.ts';
import { serverNow } from '../state.ts';
import { Scroll } from './scroll.tsx';

function save(sheet: Sheet): void {
  const url = URL.createObjectURL(new Blob([csvOf(sheet)], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `instashop-${sheet.id}-${new Date(serverNow()).toISOString().slice(0, 19).replaceAll(':', '')}.csv`;
  link.click();
  // The download has taken the address by then.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function textOf(cell: Cell, { kind }: Column, currency: string): string {
  const f = formats.value;
  if (cell === null) return '–';
  if (kind === 'money') return f.money(Number(cell), currency);
  if (kind === 'count') return f.count(Number(cell));
  return kind === 'time' ? f.dateTime(Number(cell)) : String(cell);
}

const isNumber = ({ kind }: Column): boolean => kind === 'money' || kind === 'count';

function Table({ sheet }: { sheet: Sheet }) {
  const shown = sheet.columns.flatMap((column, index) => (column.label === null ? [] : [{ column, index }]));
  const currency = sheet.currency ?? 'USD';
  return (
    <Scroll label={`${texts.value.table}: ${sheet.title}`}>
      <table>
        <thead>
          <tr>
            {shown.map(({ column }) => (
              <th key={column.name} scope="col" class={isNumber(column) ? 'num' : undefined}>
                {column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sheet.rows().map((row, at) => (
            <tr key={`${at}/${row[0]}`}>
              {shown.map(({ column, index }, place) => {
                const text = textOf(row[index] ?? null, column, currency);
                if (place === 0) return <th scope="row">{text}</th>;
                return <td class={isNumber(column) ? 'num' : undefined}>{text}</td>;
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** Saves the figures as a file. */
export function SaveButton({ sheet }: { sheet: Sheet }) {
  return (
    <button type="button" class="link" onClick={() => save(sheet)}>
      CSV<span class="sr">: {sheet.title}</span>
    </button>
  );
}

/** The same figures as a table, and as a file. Which tables are open stands in the address. */
export function SheetView({ sheet }: { sheet: Sheet }) {
  const t = texts.value;
  const { tables } = address.value;
  const isOpen = tables.includes(sheet.id);
  const toggle = (open: boolean): void => {
    if (open === address.peek().tables.includes(sheet.id)) return;
    const others = address.peek().tables.filter((id) => id !== sheet.id);
    setAddress({ tables: open ? [...others, sheet.id] : others }, false);
  };
  return (
    <div class="sheet-view">
      <details class="as-table" open={isOpen} onToggle={(event) => toggle(event.currentTarget.open)}>
        <summary>
          {t.asTable}
          <span class="sr">: {sheet.title}</span>
        </summary>
        {isOpen && <Table sheet={sheet} />}
      </details>
      <SaveButton sheet={sheet} />
    </div>
  );
}
