// Numbers, money and times as the reader writes them.
import type { Language } from './text.ts';

export interface Formats {
  money(minor: number, currency: string): string;
  count(value: number): string;
  /** Short, for axes. */
  countShort(value: number): string;
  /** Bytes with a unit. */
  bytes(value: number): string;
  /** 0.4 s (rounded up: nothing is 0 s old), 12 s, 3 min, 2 h, 4 d. */
  age(ms: number): string;
  clock(ms: number): string;
  clockShort(ms: number): string;
  dateTime(ms: number): string;
  day(ms: number): string;
  /** 0 is Monday. */
  weekday(index: number): string;
  percent(ratio: number): string;
  /** With its sign. */
  change(ratio: number): string;
  tenths(value: number): string;
  /** With its sign, or a bare zero. */
  difference(value: number, digits: number): string;
  /** Bounds of a window. */
  bounds(start: number, end: number): string;
}

function memo<T>(make: (key: string) => T): (key: string) => T {
  const made = new Map<string, T>();
  return (key) => {
    let value = made.get(key);
    if (value === undefined) {
      value = make(key);
      made.set(key, value);
    }
    return value;
  };
}

const AGE_UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
] as const;

/** A Monday. */
const MONDAY_MS = Date.UTC(2024, 0, 1);

/** Formats of a language; the times are in the reader's own time zone. */
export function formatsOf(language: Language): Formats {
  const grouping = { useGrouping: 'always' } as unknown as Intl.NumberFormatOptions;
  const number = (options: Intl.NumberFormatOptions) =>
    new Intl.NumberFormat(language, { ...grouping, ...options });
  const money = memo((currency) => number({ style: 'currency', currency }));
  const unit = memo((key) => {
    const [name, digits] = key.split('/');
    const fraction = { minimumFractionDigits: Number(digits), maximumFractionDigits: Number(digits) };
    return number({ style: 'unit', unit: name!, unitDisplay: 'short', ...fraction });
  });
  const count = number({ maximumFractionDigits: 0 });
  const countShort = number({ notation: 'compact', maximumFractionDigits: 1 });
  const time = (options: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(language, { hourCycle: 'h23', ...options });
  const clock = time({ hour: '2-digit', minute: '2-digit', second: '2-digit' });
  const clockShort = time({ hour: '2-digit', minute: '2-digit' });
  const dateTime = time({
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
  const day = time({ day: 'numeric', month: 'short' });
  const weekday = time({ weekday: 'short', timeZone: 'UTC' });
  const percent = number({ style: 'percent', maximumFractionDigits: 1 });
  const change = number({ style: 'percent', maximumFractionDigits: 1, signDisplay: 'exceptZero' });
  const difference = memo((digits) =>
    number({
      minimumFractionDigits: Number(digits),
      maximumFractionDigits: Number(digits),
      signDisplay: 'exceptZero',
    }),
  );
  const tenths = number({ minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const seconds = (ms: number): string => {
    if (ms <= 9_900) return `${tenths.format(Math.max(1, Math.ceil(ms / 100)) / 10)} s`;
    return `${count.format(Math.max(10, Math.floor(ms / 1_000)))} s`;
  };

  return {
    money: (minor, currency) => money(currency).format(minor / 100),
    count: (value) => count.format(value),
    countShort: (value) => countShort.format(value),
    bytes(value) {
      if (value < 1_000) return unit('byte/0').format(value);
      if (value < 1_000_000) return unit('kilobyte/1').format(value / 1_000);
      if (value < 1_000_000_000) return unit('megabyte/1').format(value / 1_000_000);
      return unit('gigabyte/1').format(value / 1_000_000_000);
    },
    age(ms) {
      const passed = Math.max(0, ms);
      for (const [name, length] of AGE_UNITS)
        if (passed >= length) return unit(`${name}/0`).format(Math.floor(passed / length));
      return seconds(passed);
    },
    clock: (ms) => clock.format(ms),
    clockShort: (ms) => clockShort.format(ms),
    day: (ms) => day.format(ms),
    weekday: (index) => weekday.format(MONDAY_MS + index * 86_400_000),
    percent: (ratio) => percent.format(ratio),
    change: (ratio) => change.format(ratio),
    difference: (value, digits) => difference(String(digits)).format(value),
    tenths: (value) => tenths.format(value),
    dateTime: (ms) => dateTime.format(ms),
    bounds: (start, end) => `${clock.format(start)} – ${clock.format(end)}`,
  };
}
