// Column texts as the values of events.

const TIMESTAMP =
  /^(\d{4,6})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6}))?(?:([+-])(\d\d)(?::?(\d\d))?)?$/;
const EPOCH_MS_MAX = 8.64e15;

/**
 * A timestamp (ISO date style) as epoch ms, microseconds cut off; without an offset it is UTC. null where it is
 * infinite, before our era or beyond what a Date can hold.
 */
export function epochMsOf(text: string): number | null {
  const match = TIMESTAMP.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', sign, offsetHours, offsetMinutes] = match;
  const offsetMs = (Number(offsetHours ?? 0) * 60 + Number(offsetMinutes ?? 0)) * 60_000;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second), Number(fraction.padEnd(3, '0').slice(0, 3)));
  const ms = date.getTime() - (sign === '-' ? -offsetMs : offsetMs);
  return Math.abs(ms) <= EPOCH_MS_MAX ? ms : null;
}

/** An integer column's text as a number that holds it exactly, else null. */
export function integerOf(text: string | null | undefined): number | null {
  if (text === null || text === undefined) return null;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : null;
}
